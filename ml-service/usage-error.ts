/** The command line or the environment asks for something impossible; the message says what to do. Exit 2. */
export class UsageError extends Error {
  readonly code = 'usage'
}

/** One JSON line on stderr; results go to stdout. Carries `tenant_id` wherever there is one. */
export function log(
  level: 'info' | 'warn' | 'error',
  message: string,
  fields: Record<string, unknown> = {},
): void {
  const line = { level, time: new Date().toISOString(), service: 'ml', message, ...fields }
  process.stderr.write(`${JSON.stringify(line)}\n`)
}

/** What went wrong, in one line without a stack. */
export function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(messageOf).join('; ')
  return error instanceof Error ? error.message : String(error)
}

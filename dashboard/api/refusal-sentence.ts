import type { ApiError } from './api-error.ts'

/** Said above the key form when the API refuses a key itself. */
export function refusalSentence({ code }: Pick<ApiError, 'code'>): string {
  if (code === 'insufficient_scope') return 'This key may not read. Enter one with the scope “read”.'
  return 'This key is not valid, or has been revoked. Enter another one.'
}

import { DrizzleQueryError } from 'drizzle-orm/errors'

interface LogFields {
  tenant_id?: string
  batch_id?: string
  [field: string]: unknown
}

/** One JSON line. Callers pass no keys, secrets or payloads. */
export function log(level: 'info' | 'warn' | 'error', event: string, fields: LogFields): void {
  console[level](JSON.stringify({ level, event, ...fields }))
}

/** An error as a log may carry it: its kind and its text, without the statement or values behind it. */
export function errorFields(error: unknown): { error: string; cause?: string } {
  if (error instanceof DrizzleQueryError) return errorFields(error.cause) // its text is the statement and its values
  if (!(error instanceof Error)) return { error: String(error) }
  const own = `${error.name}: ${error.message}`
  return error.cause instanceof Error ? { error: own, cause: errorFields(error.cause).error } : { error: own }
}

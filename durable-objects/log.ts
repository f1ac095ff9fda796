import { DrizzleQueryError } from 'drizzle-orm/errors'
import { type EventName, type LogFields, type LogLine, logLine } from '../telemetry/log-line.ts'

/** One JSON line of the Worker or an object. Callers pass no keys, secrets or payloads. */
export function log(level: LogLine['level'], event: EventName, fields: LogFields): void {
  console[level](logLine({ now: Date.now(), level, service: 'edge', event }, fields))
}

/** An error as a log may carry it: its kind and its text, without the statement or values behind it. */
export function errorFields(error: unknown): { error: string; cause?: string } {
  if (error instanceof DrizzleQueryError) return errorFields(error.cause) // its text is the statement and its values
  if (!(error instanceof Error)) return { error: String(error) }
  const own = `${error.name}: ${error.message}`
  return error.cause instanceof Error ? { error: own, cause: errorFields(error.cause).error } : { error: own }
}

import { type EventName, type LogFields, type LogLine, logLine } from '../telemetry/log-line.ts'

/** One JSON line on stderr; results go to stdout. Carries `tenant_id` wherever there is one. */
export function log(level: LogLine['level'], event: EventName, fields: LogFields = {}): void {
  process.stderr.write(`${logLine({ now: Date.now(), level, service: 'ml', event }, fields)}\n`)
}

/** What went wrong, in one line without a stack. */
export function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(messageOf).join('; ')
  return error instanceof Error ? error.message : String(error)
}

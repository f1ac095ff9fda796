import type pg from 'pg'
import type { Environment } from '../environment.ts'
import { UsageError } from '../usage-error.ts'

/** What a command works with. The clock is read through `now` only. */
export interface CommandContext {
  environment: Environment
  pool: pg.Pool
  /** Milliseconds since the epoch. */
  now: () => number
  /** Writes a result line to stdout. */
  print: (line: string) => void
}

/** Runs a command with its parsed options and returns the exit code. Throws a UsageError on wrong options. */
export type Command = (context: CommandContext, options: Options) => Promise<number>

/** As node:util parseArgs returns them. */
export type Options = Record<string, string | boolean | (string | boolean)[] | undefined>

/** The text given for `--name`; undefined when it was not. */
export function optional(options: Options, name: string): string | undefined {
  const value = options[name]
  return typeof value === 'string' ? value : undefined
}

export function required(options: Options, name: string): string {
  const value = optional(options, name)
  if (value === undefined || value === '') throw new UsageError(`Give --${name}.`)
  return value
}

/** A time option, ISO 8601 or epoch milliseconds, as epoch ms. A time without a zone is UTC. */
export function timeOption(options: Options, name: string): number | undefined {
  const text = optional(options, name)
  if (text === undefined) return undefined
  const ms = /^-?\d+$/.test(text) ? Number(text) : Date.parse(withZone(text))
  if (Number.isNaN(new Date(ms).getTime())) {
    throw new UsageError(`--${name} must be a time such as 2026-01-31T00:00:00Z or epoch milliseconds.`)
  }
  return ms
}

const withZone = (text: string) =>
  /\d[T ]\d\d/.test(text) && !/(Z|[+-]\d\d:?\d\d)$/i.test(text) ? `${text}Z` : text

/** Half-open range of times; unbounded where an option is missing. */
export function rangeOptions(options: Options): { from: number; to: number } {
  const from = timeOption(options, 'from') ?? Number.NEGATIVE_INFINITY
  const to = timeOption(options, 'to') ?? Number.POSITIVE_INFINITY
  if (from >= to) throw new UsageError('--from must be before --to.')
  return { from, to }
}

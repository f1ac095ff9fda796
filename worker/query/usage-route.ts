import { and, between, eq, sum } from 'drizzle-orm'
import { Hono } from 'hono'
import * as v from 'valibot'
import type { DayUsage } from '../../durable-objects/window-frames.ts'
import { usageDaily } from '../../migrations/schema.ts'
import type { AppEnv } from '../app-env.ts'
import { db, query } from '../database.ts'
import { component, told } from '../openapi/fields.ts'
import { operation } from '../openapi/operation.ts'
import { requireScope } from '../tenant-auth.ts'
import { withinDeadline } from '../within-deadline.ts'
import { invalidParameter } from './parameters.ts'

const DAY_MS = 86_400_000
const MAX_DAYS_APART = 92
const DEFAULT_DAYS = 30

const counter = (description: string) => told(v.pipe(v.number(), v.integer()), description)
const Counts = component(
  'UsageCounts',
  v.object({
    datapoints: counter('Accepted datapoints.'),
    batches: counter('Accepted batches.'),
    bytes: counter('Bytes of accepted batches, on the wire.'),
    duplicates: counter('Batches that were answered as duplicates.'),
    rejected: counter('Datapoints rejected in accepted batches.'),
    windows_scored: counter('Windows scored for the first time.'),
  }),
  'What was sent and done.',
)
type Counts = v.InferOutput<typeof Counts>
const COUNTERS = ['datapoints', 'batches', 'bytes', 'duplicates', 'rejected', 'windows_scored'] as const

const Day = v.pipe(v.string(), v.isoDate())
const UsageDay = component(
  'UsageDay',
  v.object({ date: told(Day, 'A day of arrival, in UTC.'), ...Counts.entries }),
  'The usage of one UTC day.',
)
const Usage = component(
  'Usage',
  v.object({
    data: v.array(UsageDay),
    next_cursor: told(v.null(), 'Always null: all days come at once.'),
    total: Counts,
  }),
  'The days that have any usage, and their sum.',
)

const dayParameter = (description: string) =>
  v.optional(
    v.pipe(
      v.string(),
      v.check(isDay, 'must be a day as YYYY-MM-DD'),
      v.metadata({ format: 'date', description, examples: ['2026-01-01'] }),
    ),
  )
const Days = v.object({
  from: dayParameter(`The first day; left out: ${DEFAULT_DAYS} days up to \`to\`.`),
  to: dayParameter(`The last day, at most ${MAX_DAYS_APART} days after \`from\`; left out: today.`),
})

const getUsage = operation(
  {
    operationId: 'getUsage',
    tag: 'Account',
    summary: 'Usage per day',
    description:
      'Counters per UTC day, `from` and `to` inclusive; every batch accepted before the call is counted.',
    query: Days,
    answer: Usage,
    returns: 'The days and their sum.',
  },
  async (c, given) => {
    const { from, to } = daysOf(given.query, Date.now())
    const tenantId = c.get('tenantId')
    const control = c.env.TENANT_CONTROL.getByName(tenantId)
    const [counted, scored] = await Promise.all([
      withinDeadline(control.usage(from, to)),
      query(
        c,
        db
          .select({ day: usageDaily.day, windowsScored: sum(usageDaily.windowsScored).mapWith(Number) })
          .from(usageDaily)
          .where(and(eq(usageDaily.tenantId, tenantId), between(usageDaily.day, from, to)))
          .groupBy(usageDaily.day),
      ),
    ])
    const data = merge(counted, new Map(scored.map((row) => [row.day, row.windowsScored])))
    return { data, next_cursor: null, total: totalOf(data) }
  },
)

/**
 * `GET /v1/usage`. The counters of ingest come from the shards themselves and so include every batch accepted
 * before the call; windows scored come from Postgres.
 */
export const usageRoute = new Hono<AppEnv>().get('/', requireScope('read'), getUsage)

function merge(counted: DayUsage[], scored: Map<string, number>): v.InferOutput<typeof UsageDay>[] {
  const byDay = new Map(counted.map((usage) => [usage.day, usage]))
  const none = { batches: 0, datapoints: 0, bytes: 0, duplicates: 0, rejected: 0 }
  const days = [...new Set([...byDay.keys(), ...scored.keys()])].sort()
  return days
    .map((date) => {
      const { datapoints, batches, bytes, duplicates, rejected } = byDay.get(date) ?? none
      return { date, datapoints, batches, bytes, duplicates, rejected, windows_scored: scored.get(date) ?? 0 }
    })
    .filter((day) => COUNTERS.some((counter) => day[counter] > 0))
}

function totalOf(days: Counts[]): Counts {
  const total: Counts = { datapoints: 0, batches: 0, bytes: 0, duplicates: 0, rejected: 0, windows_scored: 0 }
  for (const day of days) for (const counter of COUNTERS) total[counter] += day[counter]
  return total
}

function daysOf(wanted: v.InferOutput<typeof Days>, now: number): { from: string; to: string } {
  const to = wanted.to ?? new Date(now).toISOString().slice(0, 10)
  const from =
    wanted.from ?? new Date(Date.parse(to) - (DEFAULT_DAYS - 1) * DAY_MS).toISOString().slice(0, 10)
  const daysApart = (Date.parse(to) - Date.parse(from)) / DAY_MS
  if (daysApart < 0) throw invalidParameter('from', 'must not be after "to"')
  if (daysApart > MAX_DAYS_APART)
    throw invalidParameter('from', `must be at most ${MAX_DAYS_APART} days before "to"`)
  return { from, to }
}

function isDay(text: string): boolean {
  const ms = /^\d{4}-\d{2}-\d{2}$/.test(text) ? Date.parse(text) : Number.NaN
  return !Number.isNaN(ms) && new Date(ms).toISOString().slice(0, 10) === text
}

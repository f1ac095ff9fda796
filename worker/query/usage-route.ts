import { and, between, eq, sum } from 'drizzle-orm'
import { type Context, Hono } from 'hono'
import type { DayUsage } from '../../durable-objects/window-frames.ts'
import { usageDaily } from '../../migrations/schema.ts'
import type { AppEnv } from '../app-env.ts'
import { database, query } from '../database.ts'
import { requireScope } from '../tenant-auth.ts'
import { withinDeadline } from '../within-deadline.ts'
import { invalidParameter } from './parameters.ts'

const DAY_MS = 86_400_000
const MAX_DAYS_APART = 92
const DEFAULT_DAYS = 30
const COUNTERS = ['datapoints', 'batches', 'bytes', 'duplicates', 'rejected', 'windows_scored'] as const
type Counts = Record<(typeof COUNTERS)[number], number>

/**
 * `GET /v1/usage`: counters per UTC day of arrival. Those of ingest come from the shards themselves and so
 * include every batch accepted before the call; windows scored come from Postgres.
 */
export const usageRoute = new Hono<AppEnv>().get('/', requireScope('read'), async (c) => {
  const { from, to } = daysOf(c, Date.now())
  const tenantId = c.get('tenantId')
  const control = c.env.TENANT_CONTROL.getByName(tenantId)
  const [counted, scored] = await Promise.all([
    withinDeadline(control.usage(from, to)),
    query(
      database(c.env)
        .select({ day: usageDaily.day, windowsScored: sum(usageDaily.windowsScored).mapWith(Number) })
        .from(usageDaily)
        .where(and(eq(usageDaily.tenantId, tenantId), between(usageDaily.day, from, to)))
        .groupBy(usageDaily.day),
    ),
  ])
  const data = merge(counted, new Map(scored.map((row) => [row.day, row.windowsScored])))
  return c.json({ data, next_cursor: null, total: totalOf(data) })
})

function merge(counted: DayUsage[], scored: Map<string, number>): ({ date: string } & Counts)[] {
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

function daysOf(c: Context, now: number): { from: string; to: string } {
  const to = dayOf(c, 'to') ?? new Date(now).toISOString().slice(0, 10)
  const from =
    dayOf(c, 'from') ?? new Date(Date.parse(to) - (DEFAULT_DAYS - 1) * DAY_MS).toISOString().slice(0, 10)
  const daysApart = (Date.parse(to) - Date.parse(from)) / DAY_MS
  if (daysApart < 0) throw invalidParameter('from', 'must not be after "to"')
  if (daysApart > MAX_DAYS_APART)
    throw invalidParameter('from', `must be at most ${MAX_DAYS_APART} days before "to"`)
  return { from, to }
}

function dayOf(c: Context, name: string): string | undefined {
  const text = c.req.query(name)
  if (text === undefined) return undefined
  const ms = /^\d{4}-\d{2}-\d{2}$/.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(ms) || new Date(ms).toISOString().slice(0, 10) !== text) {
    throw invalidParameter(name, 'must be a day as YYYY-MM-DD')
  }
  return text
}

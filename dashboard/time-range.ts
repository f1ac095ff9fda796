const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/** The API reads at most this much at once. */
export const MAX_SPAN_MS = 92 * DAY_MS

export type RangeName = '1h' | '24h' | '7d' | '30d' | '90d'

/** The ranges offered, shortest first. */
export const RANGES: { name: RangeName; label: string; durationMs: number }[] = [
  { name: '1h', label: '1 hour', durationMs: HOUR_MS },
  { name: '24h', label: '24 hours', durationMs: DAY_MS },
  { name: '7d', label: '7 days', durationMs: 7 * DAY_MS },
  { name: '30d', label: '30 days', durationMs: 30 * DAY_MS },
  { name: '90d', label: '90 days', durationMs: 90 * DAY_MS },
]

/** Half-open, epoch ms. */
export interface TimeSpan {
  from: number
  to: number
}

/** What a page shows: a range that ends now and moves on, or a span that stays. */
export type Period = RangeName | TimeSpan

export const DEFAULT_PERIOD: Period = '7d'

export const isRangeName = (name: string | null): name is RangeName =>
  RANGES.some((range) => range.name === name)

export const isMoving = (period: Period): period is RangeName => typeof period === 'string'

const rangeOf = (name: RangeName) => RANGES.find((range) => range.name === name)!

/** The span of a period at a time: of a range, the one that ends then. */
export const spanOf = (period: Period, now: number): TimeSpan =>
  isMoving(period) ? { from: now - rangeOf(period).durationMs, to: now } : period

/** How a sentence calls a period. */
export const periodLabel = (period: Period) =>
  isMoving(period) ? `the last ${rangeOf(period).label}` : 'the time chosen'

/** The shortest range that reaches back to `time`, if one does. */
export const rangeReaching = (time: number, now: number): RangeName | undefined =>
  RANGES.find((range) => now - range.durationMs <= time)?.name

/** A span as two instants of a link, `FROM~TO`; undefined for anything else or more than the API reads at once. */
export function parseSpan(text: string | null): TimeSpan | undefined {
  const [from = Number.NaN, to = Number.NaN] = (text ?? '').split('~').map((part) => Date.parse(part))
  return from < to && to - from <= MAX_SPAN_MS ? { from, to } : undefined
}

/** Seconds are as fine as a chart is; the shorter form reads better in a link. */
export const spanText = ({ from, to }: TimeSpan) => `${secondsIso(from)}~${secondsIso(to)}`

const secondsIso = (time: number) => new Date(time).toISOString().replace(/\.\d+Z$/, 'Z')

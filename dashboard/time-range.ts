const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

export type RangeName = '24h' | '7d' | '30d' | '90d'

/** The ranges offered, shortest first. The API reads at most 92 days at once. */
export const RANGES: { name: RangeName; label: string; durationMs: number }[] = [
  { name: '24h', label: '24 hours', durationMs: DAY_MS },
  { name: '7d', label: '7 days', durationMs: 7 * DAY_MS },
  { name: '30d', label: '30 days', durationMs: 30 * DAY_MS },
  { name: '90d', label: '90 days', durationMs: 90 * DAY_MS },
]

export const DEFAULT_RANGE: RangeName = '7d'

/** Half-open, epoch ms. */
export interface TimeSpan {
  from: number
  to: number
}

export const isRangeName = (name: string | null): name is RangeName =>
  RANGES.some((range) => range.name === name)

export const rangeOf = (name: RangeName) => RANGES.find((range) => range.name === name)!

/** The span of a range that ends now. */
export const spanOf = (name: RangeName, now: number): TimeSpan => ({
  from: now - rangeOf(name).durationMs,
  to: now,
})

/** The shortest range that reaches back to `time`, if one does. */
export const rangeReaching = (time: number, now: number): RangeName | undefined =>
  RANGES.find((range) => now - range.durationMs <= time)?.name

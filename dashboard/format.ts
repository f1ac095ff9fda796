const numberFormat = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 6 })
const countFormat = new Intl.NumberFormat()
const percentFormat = new Intl.NumberFormat(undefined, { style: 'percent', maximumFractionDigits: 2 })
const scoreFormat = new Intl.NumberFormat(undefined, { minimumFractionDigits: 2, maximumFractionDigits: 2 })
const timeFormat = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' })
/** Days of the API are days in UTC, whatever the reader's zone. */
const dayFormat = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeZone: 'UTC' })
const agoFormat = new Intl.RelativeTimeFormat(undefined, { numeric: 'auto', style: 'short' })

/** In the reader's own language; six digits tell telemetry values apart. */
export const formatNumber = (value: number) => numberFormat.format(value)

/** Every digit, as of something counted. */
export const formatCount = (count: number) => countFormat.format(count)

/** A share: 0.05 is 5 %. */
export const formatPercent = (share: number) => percentFormat.format(share)

export const formatScore = (score: number) => scoreFormat.format(score)

/** In the reader's own time zone. */
export const formatTime = (time: number) => timeFormat.format(time)

/** A day as the API writes it, YYYY-MM-DD. */
export const formatDay = (day: string) => dayFormat.format(Date.parse(day))

export const formatValue = (value: number, unit: string | null) =>
  unit === null ? formatNumber(value) : `${formatNumber(value)} ${unit}`

/** `60 – 82`; a dash alone for a side that has no bound, as while learning. */
export function formatExpected(expected: { low: number | null; high: number | null } | null): string {
  const side = (value: number | null) => (value === null ? '…' : formatNumber(value))
  if (expected === null || (expected.low === null && expected.high === null)) return '–'
  return `${side(expected.low)} – ${side(expected.high)}`
}

const UNITS = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
  ['second', 1_000],
] as const

/** `5 min. ago`, in the largest unit that is there at least once. */
export function formatAgo(time: number, now: number): string {
  const elapsed = now - time
  const [unit, unitMs] = UNITS.find(([, ms]) => Math.abs(elapsed) >= ms) ?? ['second', 1_000]
  return agoFormat.format(-Math.trunc(elapsed / unitMs), unit)
}

/** `5 min`, in the largest unit that is there at least once. */
export function formatDuration(durationMs: number): string {
  const [unit, unitMs] = UNITS.find(([, ms]) => durationMs >= ms) ?? ['second', 1_000]
  const format = new Intl.NumberFormat(undefined, {
    ...{ style: 'unit', unit, unitDisplay: 'short', maximumFractionDigits: 0 },
  })
  return format.format(durationMs / unitMs)
}

const BYTE_UNITS = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte']

export function formatBytes(bytes: number): string {
  const step = Math.min(BYTE_UNITS.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3))
  const format = new Intl.NumberFormat(undefined, {
    ...{ style: 'unit', unit: BYTE_UNITS[step]!, unitDisplay: 'short', maximumSignificantDigits: 3 },
  })
  return format.format(bytes / 1000 ** step)
}

/** `1 window`, `2 windows`. */
export const counted = (count: number, one: string, many = `${one}s`) =>
  `${formatCount(count)} ${count === 1 ? one : many}`

const numberFormat = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 6 })
const scoreFormat = new Intl.NumberFormat(undefined, { minimumFractionDigits: 2, maximumFractionDigits: 2 })
const timeFormat = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' })

/** In the reader's own language; six digits tell telemetry values apart. */
export const formatNumber = (value: number) => numberFormat.format(value)

export const formatScore = (score: number) => scoreFormat.format(score)

/** In the reader's own time zone. */
export const formatTime = (time: number) => timeFormat.format(time)

export const formatValue = (value: number, unit: string | null) =>
  unit === null ? formatNumber(value) : `${formatNumber(value)} ${unit}`

/** `60 – 82`; a dash alone for a side that has no bound, as while learning. */
export function formatExpected(expected: { low: number | null; high: number | null } | null): string {
  const side = (value: number | null) => (value === null ? '…' : formatNumber(value))
  if (expected === null || (expected.low === null && expected.high === null)) return '–'
  return `${side(expected.low)} – ${side(expected.high)}`
}

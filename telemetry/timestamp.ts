/** The units an integer timestamp may come in. */
export const PRECISIONS = ['ms', 's', 'us', 'ns'] as const
export type Precision = (typeof PRECISIONS)[number]

const ISO_8601 =
  /^(\d{4})-(\d{2})-(\d{2})(?:T(\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?(Z|[+-]\d{2}(?::?\d{2})?)?)?$/
const INTEGER = /^-?\d{1,20}$/
const UNITS_PER_MS: Record<Precision, bigint> = { ms: 1n, s: 1n, us: 1_000n, ns: 1_000_000n }

/**
 * Epoch milliseconds, floored, of an ISO 8601 text (without an offset it is UTC) or of an integer in
 * `precision` (as a number or, where a double would lose digits, as text). undefined: it is neither.
 */
export function parseTimestamp(value: unknown, precision: Precision): number | undefined {
  if (typeof value === 'number') return Number.isInteger(value) ? fromNumber(value, precision) : undefined
  if (typeof value !== 'string') return undefined
  return INTEGER.test(value) ? fromDigits(value, precision) : fromIso(value)
}

function fromNumber(value: number, precision: Precision): number {
  if (precision === 'ms') return value
  if (precision === 's') return value * 1000
  return Math.floor(value / (precision === 'us' ? 1e3 : 1e6))
}

function fromDigits(digits: string, precision: Precision): number {
  const value = BigInt(digits)
  if (precision === 's') return Number(value) * 1000
  const unit = UNITS_PER_MS[precision]
  const floored = value < 0n && value % unit !== 0n ? value / unit - 1n : value / unit
  return Number(floored)
}

/** Date.parse alone takes far more than ISO 8601, reads a text without an offset as local time, and rolls 30 February over. */
function fromIso(text: string): number | undefined {
  const match = ISO_8601.exec(text)
  if (match === null) return undefined
  const [, year, month, day, hour = '00', minute = '00', second = '00', fraction = '', zone = 'Z'] = match
  const ms = Date.UTC(
    Number(year),
    Number(month) - 1,
    Number(day),
    Number(hour),
    Number(minute),
    Number(second),
  )
  const date = new Date(ms)
  const exists =
    date.getUTCMonth() === Number(month) - 1 &&
    date.getUTCDate() === Number(day) &&
    Number(hour) < 24 &&
    Number(minute) < 60 &&
    Number(second) < 60
  if (!exists) return undefined
  const offsetMinutes = zoneMinutes(zone)
  if (offsetMinutes === undefined) return undefined
  return ms + Number(fraction.slice(0, 3).padEnd(3, '0')) - offsetMinutes * 60_000
}

function zoneMinutes(zone: string): number | undefined {
  if (zone === 'Z') return 0
  const hours = Number(zone.slice(1, 3))
  const minutes = Number(zone.slice(3).replace(':', ''))
  if (hours > 23 || minutes > 59) return undefined
  return (zone[0] === '-' ? -1 : 1) * (hours * 60 + minutes)
}

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isInstant, nearestInstant, PRECISIONS, parseTimestamp } from './timestamp.ts'

const NEW_YEAR = Date.UTC(2026, 0, 1)
const instant = fc.date({
  min: new Date('0000-01-01T00:00:00Z'),
  max: new Date('9999-12-31T23:59:59.999Z'),
  noInvalidDate: true,
})

describe('ISO 8601', () => {
  test.each([
    ['2026-01-01T00:00:00Z', NEW_YEAR],
    ['2026-01-01T00:00:00.123Z', NEW_YEAR + 123],
    ['2026-01-01T00:00:00,5Z', NEW_YEAR + 500],
    ['2026-01-01T00:00:00.123999999Z', NEW_YEAR + 123],
    ['2026-01-01T00:00Z', NEW_YEAR],
    ['2026-01-01', NEW_YEAR],
    ['2026-01-01T02:30:00+02:30', NEW_YEAR],
    ['2026-01-01T02:30:00+0230', NEW_YEAR],
    ['2025-12-31T14:00:00-10', NEW_YEAR],
    ['2024-02-29T00:00:00Z', Date.UTC(2024, 1, 29)],
    ['1969-12-31T23:59:59.9995Z', -1],
    ['0099-12-31T23:59:59.999Z', Date.UTC(100, 0, 1) - 1],
  ])('%s', (text, ms) => {
    expect(parseTimestamp(text, 'ms')).toBe(ms)
  })

  test('a time without an offset is UTC, whatever the time zone of the process', () => {
    expect(parseTimestamp('2026-01-01T00:00:00', 'ms')).toBe(NEW_YEAR)
  })

  test('any instant comes back from the text of Date, under every precision', () => {
    fc.assert(
      fc.property(instant, fc.constantFrom(...PRECISIONS), (date, precision) => {
        expect(parseTimestamp(date.toISOString(), precision)).toBe(date.getTime())
      }),
    )
  })

  test.each(
    [
      ...['', ' ', 'now', '01/02/2026', '2026-01-01 00:00:00Z', '2026-01-01T00Z', '2026-1-1'],
      ...['2026-02-29', '2026-02-30T00:00:00Z', '2026-13-01', '2026-00-10', '2026-04-31'],
      ...['2026-01-01T24:00:00Z', '2026-01-01T00:60:00Z', '2026-01-01T00:00:60Z'],
      ...['2026-01-01T00:00:00+24:00', '2026-01-01T00:00:00+01:60', '2026-01-01T00:00:00.Z'],
      ...['2026-01-01T00:00:00Z ', '2026-01-01T00:00:00Z\n', '12026-01-01T00:00:00Z'],
    ].filter((text) => text !== '2026'),
  )('%j is refused', (text) => {
    expect(parseTimestamp(text, 'ms')).toBeUndefined()
  })
})

describe('integers', () => {
  test.each([
    ['s', 1_767_225_600, NEW_YEAR],
    ['ms', 1_767_225_600_123, NEW_YEAR + 123],
    ['us', 1_767_225_600_123_999, NEW_YEAR + 123],
    ['ns', 1_767_225_600_123_000_000, NEW_YEAR + 123],
    ['ms', -1, -1],
    ['us', -1, -1],
    ['s', 0, 0],
  ] as const)('in %s: %d', (precision, value, ms) => {
    expect(parseTimestamp(value, precision)).toBe(ms)
  })

  test('as text they keep the digits that a double would lose', () => {
    expect(parseTimestamp('1767225600123999999', 'ns')).toBe(NEW_YEAR + 123)
    expect(parseTimestamp('1767225600124000000', 'ns')).toBe(NEW_YEAR + 124)
    expect(parseTimestamp('-1', 'ns')).toBe(-1)
    expect(parseTimestamp('-1000000', 'ns')).toBe(-1)
    expect(parseTimestamp('-1000001', 'ns')).toBe(-2)
  })

  test('text and number mean the same wherever a double holds the number', () => {
    const value = fc.oneof(
      fc.maxSafeInteger(),
      fc.integer({ min: -(2 ** 31), max: 2 ** 31 }).map((n) => n * 2 ** 30), // beyond the safe integers
    )
    fc.assert(
      fc.property(value, fc.constantFrom(...PRECISIONS), (number, precision) => {
        const digits = BigInt(number).toString()
        expect(parseTimestamp(digits, precision)).toBe(parseTimestamp(number, precision))
      }),
    )
  })

  test('a nanosecond before a millisecond belongs to the one before, as a number as well', () => {
    expect(parseTimestamp(4_503_599_626_999_999, 'ns')).toBe(4_503_599_626)
    expect(parseTimestamp(8_999_999_999_999_999, 'us')).toBe(8_999_999_999_999)
    expect(parseTimestamp(Number('1767225600123999744'), 'ns')).toBe(NEW_YEAR + 123)
  })

  test.each([0.5, Number.NaN, Number.POSITIVE_INFINITY, null, undefined, true, {}, [], [1], 10n])(
    '%s is refused',
    (value) => {
      expect(parseTimestamp(value, 'ms')).toBeUndefined()
    },
  )

  test.each(['1.5', '1e3', '+1', '0x10', '1 ', '1'.repeat(21)])('the text %j is refused', (text) => {
    expect(parseTimestamp(text, 'ms')).toBeUndefined()
  })
})

test('no text makes it throw or give anything but an integer', () => {
  const text = fc.oneof(fc.string(), fc.stringMatching(/^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d)?([+-]\d\d)?)?$/))
  fc.assert(
    fc.property(text, fc.constantFrom(...PRECISIONS), (value, precision) => {
      const ms = parseTimestamp(value, precision)
      expect(ms === undefined || Number.isInteger(ms)).toBe(true)
    }),
  )
})

test('a time in UTC is what Date makes of it, and undefined where Date would roll it over', () => {
  const part = (max: number, digits: number) => fc.nat(max).map((n) => String(n).padStart(digits, '0'))
  const parts = fc.tuple(part(9999, 4), part(13, 2), part(32, 2), part(24, 2), part(60, 2), part(60, 2))
  fc.assert(
    fc.property(parts, fc.option(part(999, 3)), ([year, month, day, hour, minute, second], fraction) => {
      const text = `${year}-${month}-${day}T${hour}:${minute}:${second}.${fraction ?? '000'}Z`
      const ms = Date.parse(text)
      const exists = !Number.isNaN(ms) && new Date(ms).toISOString() === text
      const written = fraction === null ? text.replace('.000Z', 'Z') : text
      expect(parseTimestamp(written, 'ms')).toBe(exists ? ms : undefined)
    }),
    { numRuns: 2000 },
  )
})

describe('isInstant', () => {
  test.each([
    ['0001-01-01T00:00:00.000Z', true],
    ['0000-12-31T23:59:59.999Z', false],
    ['9999-12-31T23:59:59.999Z', true],
    ['+010000-01-01T00:00:00.000Z', false],
  ])('of %s is %s', (text, expected) => {
    expect(isInstant(Date.parse(text))).toBe(expected)
  })

  test.each([0.5, Number.NaN, Number.POSITIVE_INFINITY])('of %s is false', (ms) => {
    expect(isInstant(ms)).toBe(false)
  })

  test('nearestInstant keeps instants and brings all else to the first or last', () => {
    expect(nearestInstant(NEW_YEAR)).toBe(NEW_YEAR)
    expect(new Date(nearestInstant(-1e300)).toISOString()).toBe('0001-01-01T00:00:00.000Z')
    expect(new Date(nearestInstant(1e300)).toISOString()).toBe('9999-12-31T23:59:59.999Z')
  })
})

import { expect, test } from 'vitest'
import { decimalQuotient } from './decimal-quotient.ts'
import { seededRandom } from './random.ts'

const SEED = Number(process.env['PROPERTY_SEED'] ?? Date.now() % 1_000_000_000)

/** The decimal as its digits: at most a safe integer down to the ninth behind the point, and up to nine more. */
function quotientOf(decimal: string): number {
  const [whole = '', fraction = ''] = decimal.split('.')
  const low = fraction.slice(9)
  return decimalQuotient(Number(whole + fraction.slice(0, 9)), Number(low), low.length)
}

test.each([
  '0.30000000000000004',
  '71.300000000000001',
  '0.100000000000000005',
  '9007199.254740991999999999',
  '0.000000000000000001',
  '0.000000000000000000',
  '4503599.6273704960000',
  '1.000000000000000111',
  '1.000000000000000110',
])('%s', (decimal) => expect(quotientOf(decimal)).toBe(Number(decimal)))

/** A decimal of `digits` digits behind the point, next to the middle between two doubles below 2^`exponent`. */
function nextToMiddle(random: () => number, exponent: number, digits: number): string {
  const odd = 2n ** 53n + 2n * BigInt(Math.floor(random() * 2 ** 51)) + 1n // 54 bits: halfway between two of 53
  const scaled = (odd * 10n ** BigInt(digits)) >> BigInt(54 - exponent)
  const text = String(scaled + BigInt(Math.floor(random() * 2))).padStart(digits + 1, '0')
  return `${text.slice(0, -digits)}.${text.slice(-digits)}`
}

test('no decimal is rounded otherwise than Number does, least of all those next to the middle between two doubles', () => {
  const random = seededRandom(SEED)
  let tried = 0
  for (let i = 0; i < 200_000; i += 1) {
    const digits = 10 + Math.floor(random() * 9)
    const decimal =
      i % 2 === 0
        ? nextToMiddle(random, Math.floor(random() * 30) - 7, digits)
        : (random() * 10 ** Math.floor(random() * 12 - 5)).toFixed(digits)
    if (Number(decimal.replace('.', '').slice(0, 9 - digits)) > Number.MAX_SAFE_INTEGER) continue
    if (quotientOf(decimal) !== Number(decimal)) throw new Error(`${decimal} (seed ${SEED})`)
    tried += 1
  }
  expect(tried).toBeGreaterThan(150_000)
})

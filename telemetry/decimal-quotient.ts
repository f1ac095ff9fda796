/** A double holds these exactly. */
export const POWERS_OF_TEN = Float64Array.from({ length: 19 }, (_, i) => Number(`1e${i}`))

/** Splits a double into halves of 26 bits, whose products are exact. */
const SPLITTER = 2 ** 27 + 1

/**
 * The double nearest to (`high` · 10^`lowDigits` + `low`) / 10^(9 + `lowDigits`): a decimal with more digits than the
 * integers of one double have. `high` is a safe integer, `low` has at most `lowDigits` ≤ 9 digits.
 *
 * In pairs of doubles, of which the second is what the first could not hold. Dekker: A floating-point technique for
 * extending the available precision (1971). The sum that is rounded last is off by less than 2^-49 units in the last
 * place; and such a decimal, as it is below 2^24, is at least 5^-18 / 2 > 2^-43 of them away from the middle between
 * two doubles. So it is rounded to the right one.
 */
export function decimalQuotient(high: number, low: number, lowDigits: number): number {
  const power = POWERS_OF_TEN[lowDigits]!
  const shifted = high * power
  const numerator = shifted + low
  const lost = productError(high, power, shifted) + (low - (numerator - shifted))
  const divisor = POWERS_OF_TEN[9 + lowDigits]!
  const quotient = numerator / divisor
  const back = quotient * divisor
  const remainder = numerator - back - productError(quotient, divisor, back) + lost
  return quotient + remainder / divisor
}

/** `a` · `b` − `product`, exactly, where `product` is `a * b` as a double. */
function productError(a: number, b: number, product: number): number {
  const aHigh = upperHalf(a)
  const bHigh = upperHalf(b)
  const aLow = a - aHigh
  const bLow = b - bHigh
  return aLow * bLow - (product - aHigh * bHigh - aLow * bHigh - aHigh * bLow)
}

function upperHalf(value: number): number {
  const scaled = SPLITTER * value
  return scaled - (scaled - value)
}

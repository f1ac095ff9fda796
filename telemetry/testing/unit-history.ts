import fc from 'fast-check'
import type { UnitSeen } from '../unit-record.ts'

/** What batches said of one metric's unit, in the order of their arrival; versions ascend. */
export const unitHistory = fc
  .array(fc.constantFrom('C', 'F', 'K'), { minLength: 1, maxLength: 8 })
  .map((units) => units.map((unit, i): UnitSeen => ({ unit, version: (i + 1) * 1024 })))

/** `C1 F2`: a batch with C, and one with F that was received after it. */
export const seenIn = (text: string) =>
  text.split(' ').map((word): UnitSeen => ({ unit: word.slice(0, 1), version: Number(word.slice(1)) }))

/** The last unit, the one before, and when the one followed the other: by going through the whole history. */
export function changeIn(history: UnitSeen[]) {
  const last = history.at(-1)!
  const before = history.findLastIndex(({ unit }) => unit !== last.unit)
  return { last, previous: history[before], since: history[before + 1]!.version }
}

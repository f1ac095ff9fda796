import { mergeMoments } from '../../telemetry/moments.ts'
import { countOf } from '../../telemetry/superseding-part.ts'
import type { WindowPart } from '../../telemetry/window-features.ts'
import type { SupersedingRow, WindowRow } from './replay-sql.ts'

/** Order of addition moves moments by less than this, relative to the values. */
const TOLERANCE = 1e-9

/**
 * The row that must supersede a window, given its rows and what its datapoints come to; undefined where its rows
 * tell the same already, so that a replay beside a healthy database writes nothing.
 */
export function supersedingRow(rows: WindowRow[], computed: WindowPart): SupersedingRow | undefined {
  const [first, ...others] = rows
  const isMarked = first !== undefined && first.superseded !== null
  if (first !== undefined && !isMarked && agree(others.reduce(merged, first), computed)) return undefined
  return standingRow(rows, computed)
}

/**
 * The row that must stand for a corrected window though its parts may tell the same: one that counts the corrected
 * datapoint once more is still to come. Undefined where there is such a row.
 */
export function standingRow(rows: WindowRow[], computed: WindowPart): SupersedingRow | undefined {
  const superseded = countOf(rows)
  const [first] = rows
  return first?.superseded === superseded && agree(first, computed) ? undefined : { ...computed, superseded }
}

function merged(a: WindowRow, b: WindowRow): WindowRow {
  return {
    ...a,
    ...mergeMoments(a, b),
    min: Math.min(a.min, b.min),
    max: Math.max(a.max, b.max),
    firstTs: Math.min(a.firstTs, b.firstTs),
    lastTs: Math.max(a.lastTs, b.lastTs),
  }
}

function agree(row: WindowRow, computed: WindowPart): boolean {
  const same = (['count', 'min', 'max', 'firstTs', 'lastTs'] as const).every(
    (field) => row[field] === computed[field],
  )
  if (!same) return false
  const scale = Math.max(Math.abs(computed.min), Math.abs(computed.max))
  const close = (a: number, b: number, size: number) => a === b || Math.abs(a - b) <= TOLERANCE * size
  // Of a few values far from zero, m2 is known only as well as the values are.
  const deviation = (m2: number) => Math.sqrt(m2 / computed.count)
  return close(row.mean, computed.mean, scale) && close(deviation(row.m2), deviation(computed.m2), scale)
}

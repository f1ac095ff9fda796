import { createHash } from 'node:crypto'
import * as v from 'valibot'
import { type Baseline, LEVEL_CAPACITY, SHAPE_CAPACITY, VIEWS } from './baseline.ts'
import type { Calibration } from './calibration.ts'
import { History } from './history.ts'

/** Grows with every change that an older version of this service could not read. */
export const FORMAT = 1

/** Window parts that went into a stretch of the walk: from the end of the stretch before to `until`. */
export interface LedgerEntry {
  until: number
  parts: number
}

/**
 * A trained model: the baseline after every window that ended by `trainedUntil`, and the ledger of what was
 * learned, by which parts that arrived later are noticed.
 */
export interface Artefact {
  tenantId: string
  metricId: string
  trainedUntil: number
  /** Oldest first; the first entry starts with the metric. */
  ledger: LedgerEntry[]
  baseline: Baseline
}

const finite = v.pipe(v.number(), v.finite())
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0))
const historySchema = v.object({ windows: v.string(), values: v.string() })
const calibrationSchema = v.object({
  top: v.array(finite),
  count,
  previousTop: v.array(finite),
  previousCount: count,
}) satisfies v.GenericSchema<Calibration>

const artefactSchema = v.object({
  format: v.literal(FORMAT),
  tenantId: v.string(),
  metricId: v.string(),
  trainedUntil: finite,
  ledger: v.array(v.object({ until: finite, parts: count })),
  windows: count,
  level: historySchema,
  shape: v.object({ std: historySchema, range: historySchema, count: historySchema }),
  calibrations: v.object({
    level: calibrationSchema,
    hour: calibrationSchema,
    std: calibrationSchema,
    range: calibrationSchema,
    count: calibrationSchema,
  }),
  pending: v.array(
    v.object({
      windowEnd: finite,
      lessons: v.array(v.object({ view: v.picklist(VIEWS), distance: finite })),
    }),
  ),
  recent: v.array(v.object({ windowEnd: finite, score: finite })),
})

/** The artefact as JSON: at most about 310 KiB, most of it the history of window medians. */
export function encodeArtefact({ baseline, ...identity }: Artefact): string {
  const { level, shape, calibrations, pending, recent, windows } = baseline
  return JSON.stringify({
    format: FORMAT,
    ...identity,
    windows,
    level: level.snapshot(),
    shape: { std: shape.std.snapshot(), range: shape.range.snapshot(), count: shape.count.snapshot() },
    calibrations,
    pending,
    recent,
  })
}

/** Throws where the text is not an artefact of this format. */
export function decodeArtefact(text: string): Artefact {
  const stored = v.parse(artefactSchema, JSON.parse(text))
  const shapeOf = (name: 'std' | 'range' | 'count') => History.from(stored.shape[name], SHAPE_CAPACITY)
  return {
    tenantId: stored.tenantId,
    metricId: stored.metricId,
    trainedUntil: stored.trainedUntil,
    ledger: stored.ledger,
    baseline: {
      windows: stored.windows,
      learnedUntil: stored.trainedUntil,
      level: History.from(stored.level, LEVEL_CAPACITY),
      shape: { std: shapeOf('std'), range: shapeOf('range'), count: shapeOf('count') },
      calibrations: stored.calibrations,
      pending: stored.pending,
      recent: stored.recent,
    },
  }
}

export const sha256Of = (text: string) => createHash('sha256').update(text).digest('hex')

import { createHash } from 'node:crypto'
import * as v from 'valibot'
import { type Baseline, CAPACITIES } from './baseline.ts'
import { Calibration, type Generation, KEPT_DISTANCES } from './calibration.ts'
import { History } from './history.ts'
import { pack, restoredHistory, storedHistory, unpackFloats } from './stored-arrays.ts'
import { smoothed, type ViewName } from './views.ts'

/** Grows with every change that an older version of this service could not read. */
export const FORMAT = 3

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
const historySchema = v.object({ steps: v.string(), values: v.string() })
const generationSchema = v.object({ top: v.string(), count })
const calibrationSchema = v.object({ current: generationSchema, previous: generationSchema })

const artefactSchema = v.object({
  tenantId: v.string(),
  metricId: v.string(),
  trainedUntil: finite,
  ledger: v.array(v.object({ until: finite, parts: count })),
  windows: count,
  readyAfter: v.optional(count),
  histories: v.object({
    level: historySchema,
    std: historySchema,
    range: historySchema,
    count: historySchema,
  }),
  calibrations: v.object({
    level: calibrationSchema,
    log: calibrationSchema,
    smooth: calibrationSchema,
    hour: calibrationSchema,
    still: calibrationSchema,
    std: calibrationSchema,
    range: calibrationSchema,
    count: calibrationSchema,
  } satisfies Record<ViewName, typeof calibrationSchema>),
  held: v.array(finite),
  recent: v.array(v.object({ windowEnd: finite, novelty: finite })),
})
type Stored = v.InferOutput<typeof artefactSchema>

/** The artefact as JSON. */
export function encodeArtefact({ baseline, ...identity }: Artefact): string {
  const { histories, calibrations, windows, readyAfter, held, recent } = baseline
  return JSON.stringify({
    format: FORMAT,
    ...identity,
    ...{ windows, readyAfter, held, recent },
    histories: {
      level: storedHistory(histories.level), // the smooth one follows from it
      std: storedHistory(histories.std),
      range: storedHistory(histories.range),
      count: storedHistory(histories.count),
    },
    calibrations: Object.fromEntries(
      Object.entries(calibrations).map(([view, { generations }]) => {
        const [current, previous] = generations.map(storedGeneration)
        return [view, { current, previous }]
      }),
    ),
  })
}

const storedGeneration = ({ top, count }: Generation) => ({ top: pack(Float32Array.from(top)), count })

/** Throws where the text is not an artefact of this format. */
export function decodeArtefact(text: string): Artefact {
  const json: unknown = JSON.parse(text)
  const { format } = v.parse(v.looseObject({ format: v.number() }), json)
  if (format !== FORMAT) {
    throw new RangeError(
      `Cannot read a model of format ${format}: this version writes ${FORMAT}, train it again.`,
    )
  }
  const stored = v.parse(artefactSchema, json)
  const { tenantId, metricId, trainedUntil, ledger, windows, readyAfter, held, recent } = stored
  return {
    ...{ tenantId, metricId, trainedUntil, ledger },
    baseline: {
      ...{ windows, readyAfter, learnedUntil: trainedUntil, held, recent, measured: undefined },
      histories: historiesOf(stored),
      calibrations: calibrationsOf(stored),
    },
  }
}

function historiesOf({ histories, held }: Stored): Baseline['histories'] {
  const heldStarts = new Set(held)
  const level = restoredHistory(histories.level, CAPACITIES.level, heldStarts)
  return {
    level,
    smooth: smoothHistory(level, heldStarts),
    std: restoredHistory(histories.std, CAPACITIES.std, heldStarts),
    range: restoredHistory(histories.range, CAPACITIES.range, heldStarts),
    count: restoredHistory(histories.count, CAPACITIES.count, heldStarts),
  }
}

/** The history of smooth values as the walk built it: it is short of the levels by those that a mean looks back to. */
function smoothHistory(level: History, held: Set<number>): History {
  const from = Math.max(0, level.size - CAPACITIES.smooth)
  const starts: number[] = []
  for (let i = from; i < level.size; i += 1) starts.push(level.startAt(i)!)
  const values = Float32Array.from(starts, (_, i) => smoothed(level, from + i, level.valueAt(from + i)))
  const history = new History(CAPACITIES.smooth)
  history.fill(starts, values, held)
  return history
}

function calibrationsOf({ calibrations }: Stored): Baseline['calibrations'] {
  const of = (view: ViewName) => {
    const { current, previous } = calibrations[view]
    return new Calibration(generationOf(current), generationOf(previous))
  }
  return {
    level: of('level'),
    log: of('log'),
    smooth: of('smooth'),
    hour: of('hour'),
    still: of('still'),
    std: of('std'),
    range: of('range'),
    count: of('count'),
  }
}

const generationOf = ({ top, count }: { top: string; count: number }): Generation => ({
  top: Array.from(unpackFloats(top, KEPT_DISTANCES)),
  count,
})

export const sha256Of = (text: string) => createHash('sha256').update(text).digest('hex')

import { BatchRefusal } from './batch-refusal.ts'
import type { BodyOrder } from './columns.ts'
import type { Rejection } from './rejection.ts'

export const MAX_DATAPOINTS = 50_000

/** One batch in body order, as every format's parser gives it. */
export interface ParsedBatch extends BodyOrder {
  /** undefined: the sender named none, or the format has none. */
  batchId: string | undefined
  source: string | undefined
  /** Ordinals of datapoints whose value is null: "no reading". */
  nulls: number[]
  /** Datapoints that the format can say and no series can hold; what the columns have there means nothing. */
  unstorable?: Rejection[]
  /** Whether some timestamp is the time of arrival: sent again, the same bytes are other datapoints. */
  timedByArrival?: boolean
  /** The place of a datapoint as errors name it, e.g. `series[0].points[3]`. */
  pathOf(ordinal: number): string
}

export const tooManyDatapoints = () =>
  new BatchRefusal(
    'payload_too_large',
    `A batch holds at most ${MAX_DATAPOINTS} datapoints; send it in smaller batches.`,
  )

import * as v from 'valibot'
import type { Api, ApiAnswer } from '../api.ts'
import type { DemoBatch } from './demo-batches.ts'

const receiptSchema = v.object({
  status: v.picklist(['accepted', 'duplicate']),
  datapoints: v.number(),
  rejected: v.number(),
})
type Receipt = v.InferOutput<typeof receiptSchema>

export interface ReplayResult {
  batches: number
  datapoints: number
  rejected: number
  /** Answers of 200 to a batch that was sent before. */
  duplicates: number
}

/**
 * Sends each gateway's batches in order, the gateways side by side. Batches that an earlier run sent are answered
 * with the first answer's figures, so the result is the same whether or not this run is a resumed one.
 */
export async function replay(
  api: Api,
  gateways: DemoBatch[][],
  sent: (batches: number) => void,
): Promise<ReplayResult> {
  const result: ReplayResult = { batches: 0, datapoints: 0, rejected: 0, duplicates: 0 }
  const sendAll = async (batches: DemoBatch[]) => {
    for (const batch of batches) {
      const first = await send(api, batch)
      if (first.datapoints + first.rejected !== batch.datapoints) {
        throw new Error(
          `Batch ${batch.id} held ${batch.datapoints} datapoints, but the answer counts otherwise.`,
        )
      }
      result.batches += 1
      result.datapoints += first.datapoints
      result.rejected += first.rejected
      if (first.status === 'duplicate') result.duplicates += 1
      if (batch.twice) {
        const second = await send(api, batch)
        if (second.status !== 'duplicate' || second.datapoints !== first.datapoints) {
          throw new Error(`Batch ${batch.id} was sent twice, but the second answer does not say so.`)
        }
        result.duplicates += 1
      }
      sent(result.batches)
    }
  }
  await Promise.all(gateways.map(sendAll))
  return result
}

async function send(api: Api, { body, headers }: DemoBatch): Promise<Receipt> {
  return receiptOf(await api.send('/v1/ingest', { method: 'POST', body, headers }))
}

const receiptOf = ({ body }: ApiAnswer) => v.parse(v.pipe(v.string(), v.parseJson(), receiptSchema), body)

import { Hono } from 'hono'
import type { AppEnv } from '../app-env.ts'
import { jsonFormat } from './batch-format.ts'
import { rejectionErrors } from './batch-problems.ts'
import { ingest } from './ingest.ts'

/** `POST /v1/ingest`: a 202 says that the batch is archived, counted, and will be stored. */
export const ingestRoute = new Hono<AppEnv>().post('/', async (c) => {
  const { batch, batchId, reply, r2Key } = await ingest(c, () => jsonFormat)
  const { figures, outcome } = reply
  const counts = { datapoints: figures.datapoints, rejected: figures.rejected.length }
  const body = {
    ...{ batch_id: batchId, status: outcome, ...counts, series: figures.series, r2_key: r2Key },
    received_at: new Date(figures.receivedAt).toISOString(),
    errors: rejectionErrors(batch, figures.rejected),
  }
  return c.json(body, outcome === 'accepted' ? 202 : 200)
})

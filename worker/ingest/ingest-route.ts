import { type Context, Hono } from 'hono'
import * as v from 'valibot'
import { jsonFormat } from '../../telemetry/batch-format.ts'
import { JsonBatch } from '../../telemetry/json-batch-schema.ts'
import type { AppEnv } from '../app-env.ts'
import { describedBy, specOf } from '../openapi/description.ts'
import { component, Instant, told } from '../openapi/fields.ts'
import { keyWith } from '../openapi/security.ts'
import { RejectedFor } from '../problem.ts'
import { rejectionErrors } from './batch-problems.ts'
import { ingest } from './ingest.ts'
import { INGEST_HEADERS, INGEST_PROBLEMS } from './ingest-description.ts'

const Count = v.pipe(v.number(), v.integer())
const Rejection = component(
  'Rejection',
  v.object({
    path: told(v.string(), 'The datapoint’s place in the body, such as `series[0].points[3]`.'),
    code: RejectedFor,
    message: told(v.string(), 'Why it cannot be stored.'),
  }),
  'A datapoint that was not stored.',
)
const Receipt = component(
  'IngestReceipt',
  v.object({
    batch_id: told(v.string(), 'As sent, or made from the SHA-256 of the body.'),
    status: told(
      v.picklist(['accepted', 'duplicate']),
      'A duplicate changes nothing: the figures are the first one’s.',
    ),
    datapoints: told(Count, 'Datapoints accepted; with `rejected` it is what was sent.'),
    rejected: told(Count, 'Datapoints that cannot be stored.'),
    series: told(Count, 'Series among the accepted datapoints.'),
    r2_key: told(v.string(), 'Where the archive keeps the batch.'),
    received_at: Instant,
    errors: told(v.array(Rejection), 'The first 20 of the rejected datapoints.'),
  }),
  'What was accepted: it is safe, counted, and will be stored.',
  {
    batch_id: 'gw7-000123',
    status: 'accepted',
    datapoints: 3,
    rejected: 0,
    series: 2,
    r2_key: 'raw/6f1d2c3b-4a59-4e68-8b77-5c6d7e8f9a0b/gw7-000123',
    received_at: '2026-01-01T00:00:02.250Z',
    errors: [],
  },
)

const ingestBatch = describedBy(
  () =>
    specOf({
      operationId: 'ingestBatch',
      tag: 'Ingest',
      summary: 'Send a batch of datapoints',
      description:
        'What is malformed refuses the batch; what is well-formed but cannot be stored rejects that datapoint alone. Sending the same batch again is safe: it is stored once.',
      headers: INGEST_HEADERS,
      body: JsonBatch,
      answers: {
        200: {
          description: 'The same batch was accepted before: nothing was stored again.',
          schema: Receipt,
        },
        202: { description: 'The batch is accepted.', schema: Receipt },
      },
      problems: INGEST_PROBLEMS,
      security: keyWith(['ingest']),
    }),
  async (c: Context<AppEnv>) => {
    const { batch, batchId, reply, r2Key } = await ingest(c, () => jsonFormat)
    const { figures, outcome } = reply
    const counts = { datapoints: figures.datapoints, rejected: figures.rejected.length }
    const body: v.InferOutput<typeof Receipt> = {
      ...{ batch_id: batchId, status: outcome, ...counts, series: figures.series, r2_key: r2Key },
      received_at: new Date(figures.receivedAt),
      errors: rejectionErrors(batch, figures.rejected),
    }
    return c.json(body, outcome === 'accepted' ? 202 : 200)
  },
)

/** `POST /v1/ingest`: a 202 says that the batch is archived, counted, and will be stored. */
export const ingestRoute = new Hono<AppEnv>().post('/', ingestBatch)

import { Hono } from 'hono'
import * as v from 'valibot'
import { archiveKeyOf } from '../../telemetry/archived-batch.ts'
import { BATCH_ID } from '../../telemetry/json-batch.ts'
import type { AppEnv } from '../app-env.ts'
import { metadataOf } from '../ingest/archive.ts'
import { component, Instant, told } from '../openapi/fields.ts'
import { operation } from '../openapi/operation.ts'
import { requireScope } from '../tenant-auth.ts'
import { withinDeadline } from '../within-deadline.ts'
import { notFound } from './parameters.ts'

const Batch = component(
  'Batch',
  v.object({
    batch_id: v.string(),
    status: told(
      v.picklist(['accepted', 'persisted', 'failed']),
      '`accepted`: safe and on its way to the database; `persisted`: can be read; `failed`: see `error`.',
    ),
    datapoints: told(v.pipe(v.number(), v.integer()), 'How many datapoints of it were accepted.'),
    r2_key: told(v.string(), 'Where the archive keeps it, byte for byte as it was sent.'),
    received_at: Instant,
    persisted_at: told(v.nullable(Instant), 'Since when its datapoints can be read.'),
    error: told(v.nullable(v.string()), 'Why it could not be stored.'),
  }),
  'What became of a batch.',
  {
    batch_id: 'gw7-000123',
    status: 'persisted',
    datapoints: 3,
    r2_key: 'raw/6f1d2c3b-4a59-4e68-8b77-5c6d7e8f9a0b/gw7-000123',
    received_at: '2026-01-01T00:00:02.250Z',
    persisted_at: '2026-01-01T00:00:04.512Z',
    error: null,
  },
)

const getBatch = operation(
  {
    operationId: 'getBatch',
    tag: 'Ingest',
    summary: 'Ask what became of a batch',
    params: v.object({
      batch_id: v.pipe(v.string(), v.regex(BATCH_ID), v.description('As sent, or as the answer named it.')),
    }),
    answer: Batch,
    returns: 'The batch.',
  },
  async (c, { params: { batch_id } }) => {
    const tenantId = c.get('tenantId')
    const r2_key = archiveKeyOf(tenantId, batch_id)
    const object = await withinDeadline(c.env.ARCHIVE.head(r2_key))
    if (object === null) throw notFound()
    const shard = c.env.TENANT_SHARD.getByName(`${tenantId}/${metadataOf(object).home_shard}`)
    const batch = await withinDeadline(shard.batch(batch_id))
    if (batch === undefined) throw notFound()
    const { status, datapoints, receivedAt, persistedAt, error } = batch
    return {
      ...{ batch_id, status, datapoints, r2_key, error },
      received_at: new Date(receivedAt),
      persisted_at: persistedAt === null ? null : new Date(persistedAt),
    }
  },
)

/** `GET /v1/batches/{batch_id}`: asks the shard that decided on the batch, so it answers without Postgres. */
export const batchesRoute = new Hono<AppEnv>().get('/:batch_id', requireScope('ingest', 'read'), getBatch)

import { Hono } from 'hono'
import { BATCH_ID } from '../../telemetry/json-batch.ts'
import type { AppEnv } from '../app-env.ts'
import { archiveKeyOf, metadataOf } from '../ingest/archive.ts'
import { requireScope } from '../tenant-auth.ts'
import { withinDeadline } from '../within-deadline.ts'
import { notFound } from './parameters.ts'

const iso = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString())

/** `GET /v1/batches/{batch_id}`: asks the shard that decided on the batch, so it answers without Postgres. */
export const batchesRoute = new Hono<AppEnv>().get('/:id', requireScope('ingest', 'read'), async (c) => {
  const batchId = c.req.param('id')
  if (!BATCH_ID.test(batchId)) throw notFound()
  const tenantId = c.get('tenantId')
  const r2_key = archiveKeyOf(tenantId, batchId)
  const object = await withinDeadline(c.env.ARCHIVE.head(r2_key))
  if (object === null) throw notFound()
  const shard = c.env.TENANT_SHARD.getByName(`${tenantId}/${metadataOf(object).home_shard}`)
  const batch = await withinDeadline(shard.batch(batchId))
  if (batch === undefined) throw notFound()
  return c.json({
    batch_id: batchId,
    status: batch.status,
    datapoints: batch.datapoints,
    r2_key,
    received_at: iso(batch.receivedAt),
    persisted_at: iso(batch.persistedAt),
    error: batch.error,
  })
})

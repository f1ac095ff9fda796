import { metadataOf } from '../ingest/archive.ts'
import type { BatchMessage } from './load-batch.ts'

/** The shard that decided on a batch, as the archive tells it; undefined when the archive does not hold the batch. */
export async function homeShardOf({ tenant_id, r2_key }: BatchMessage, env: Env) {
  const object = await env.ARCHIVE.head(r2_key)
  return object === null
    ? undefined
    : env.TENANT_SHARD.getByName(`${tenant_id}/${metadataOf(object).home_shard}`)
}

import * as v from 'valibot'
import { FORMAT_NAMES } from './batch-format.ts'

/** Custom metadata of an archived batch. Values are text, as R2 keeps them. */
export const ArchiveMetadata = v.object({
  sha256: v.string(),
  home_shard: v.pipe(v.string(), v.transform(Number), v.integer()),
  received_at: v.string(),
  // Older objects tell no format: they are JSON.
  format: v.optional(v.picklist(FORMAT_NAMES), 'json'),
  params: v.optional(v.string(), ''),
})
export type ArchiveMetadata = v.InferOutput<typeof ArchiveMetadata>

export const archiveKeyOf = (tenantId: string, batchId: string) => `raw/${tenantId}/${batchId}`

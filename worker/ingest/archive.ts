import * as v from 'valibot'
import { type BatchFormat, FORMAT_NAMES } from './batch-format.ts'
import type { Body } from './read-body.ts'

/** Custom metadata of an archived batch. Values are text, as R2 keeps them. */
const Metadata = v.object({
  sha256: v.string(),
  home_shard: v.pipe(v.string(), v.transform(Number), v.integer()),
  received_at: v.string(),
  // Older objects tell no format: they are JSON.
  format: v.optional(v.picklist(FORMAT_NAMES), 'json'),
  params: v.optional(v.string(), ''),
})
export type ArchiveMetadata = v.InferOutput<typeof Metadata>

export const archiveKeyOf = (tenantId: string, batchId: string) => `raw/${tenantId}/${batchId}`

export interface Archived {
  archived: 'stored' | 'found'
  metadata: ArchiveMetadata
}

/**
 * Stores the bytes that the gateway sent under `key` unless something is there already, in which case its
 * metadata is returned: an archived batch is never overwritten.
 */
export async function archiveBatch(
  bucket: R2Bucket,
  key: string,
  body: Body,
  sent: Omit<ArchiveMetadata, 'format' | 'params'>,
  { name, params, contentTypes: [contentType = ''] }: BatchFormat,
): Promise<Archived> {
  const metadata = { ...sent, format: name, params }
  const stored = await bucket.put(key, body.wire, {
    onlyIf: { etagDoesNotMatch: '*' },
    httpMetadata: {
      contentType,
      ...(body.encoding === 'gzip' && { contentEncoding: 'gzip' }),
    },
    customMetadata: { ...metadata, home_shard: String(metadata.home_shard) },
  })
  if (stored !== null) return { archived: 'stored', metadata }
  const found = await bucket.head(key)
  if (found === null) throw new Error('the archived batch was removed while it was looked at')
  return { archived: 'found', metadata: metadataOf(found) }
}

export const metadataOf = (object: R2Object): ArchiveMetadata => v.parse(Metadata, object.customMetadata)

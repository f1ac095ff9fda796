import * as v from 'valibot'
import { ArchiveMetadata } from '../../telemetry/archived-batch.ts'
import type { BatchFormat } from '../../telemetry/batch-format.ts'
import type { Body } from './read-body.ts'

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

export const metadataOf = (object: R2Object): ArchiveMetadata =>
  v.parse(ArchiveMetadata, object.customMetadata)

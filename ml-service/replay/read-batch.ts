import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import * as v from 'valibot'
import { acceptedColumns } from '../../telemetry/accepted-columns.ts'
import { ArchiveMetadata, archiveKeyOf } from '../../telemetry/archived-batch.ts'
import { formatOf } from '../../telemetry/batch-format.ts'
import type { LoadedBatch } from '../../telemetry/batch-rows.ts'
import type { ManifestEntry } from '../../telemetry/manifest.ts'
import { isRejectionCode, type Rejection } from '../../telemetry/rejection.ts'
import { messageOf } from '../log.ts'
import type { Archive, ArchiveObject } from './s3-archive.ts'

/** What a batch inflates to at most. */
const MAX_INFLATED_BYTES = 16 * 1024 * 1024

const MAX_GZIP_LAYERS = 2

const inflate = promisify(gunzip)

/** A batch that cannot be loaded, and why. */
export interface DamagedBatch {
  batchId: string
  reason: string
}

/**
 * Reads the object that a manifest names and applies the manifest's verdict, so that what is stored is what the
 * 202 said. Throws only where the archive does not answer.
 */
export async function readBatch(
  archive: Archive,
  { tenantId, shard }: { tenantId: string; shard: number },
  entry: ManifestEntry,
): Promise<LoadedBatch | DamagedBatch> {
  const batchId = entry.batch_id
  const r2Key = archiveKeyOf(tenantId, batchId)
  const object = await archive.read(r2Key, MAX_INFLATED_BYTES)
  if (object === undefined) return { batchId, reason: 'the archive does not hold it' }
  if (object === 'too large') return { batchId, reason: 'the archive holds more than a batch can have' }
  const plain = await plainOf(object, entry.sha256)
  if (plain === undefined)
    return { batchId, reason: 'the archive holds other content than what was accepted' }
  try {
    const receivedAt = Date.parse(entry.received_at)
    const format = formatOf(v.parse(ArchiveMetadata, object.metadata))
    const columns = acceptedColumns(format.parse(plain, receivedAt), entry.rejected.map(rejectionOf))
    if (columns.ts.length !== entry.datapoints) {
      return {
        batchId,
        reason: `it holds ${columns.ts.length} datapoints, ${entry.datapoints} were accepted`,
      }
    }
    return { batchId, r2Key, shard, receivedAt, rejected: entry.rejected.length, columns }
  } catch (error) {
    return { batchId, reason: `it cannot be read: ${messageOf(error)}` }
  }
}

/**
 * The decompressed bytes, if they are those that were accepted. R2 sends what it holds; the local runtime compresses
 * an object that is marked as gzip once more on its way. So the checksum decides how often to inflate.
 */
async function plainOf(
  { bytes, contentEncoding }: ArchiveObject,
  sha256: string,
): Promise<Uint8Array | undefined> {
  const layers = contentEncoding === 'gzip' ? MAX_GZIP_LAYERS : 0
  let plain: Uint8Array | undefined = bytes
  for (let inflated = 0; plain !== undefined; inflated += 1) {
    if (createHash('sha256').update(plain).digest('hex') === sha256) return plain
    if (inflated === layers) return undefined
    plain = await inflate(plain, { maxOutputLength: MAX_INFLATED_BYTES }).catch(() => undefined)
  }
  return undefined
}

function rejectionOf([ordinal, code]: [number, string]): Rejection {
  if (!isRejectionCode(code)) throw new RangeError(`the manifest rejects a datapoint as ${code}`)
  return { ordinal, code }
}

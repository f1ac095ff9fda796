import * as v from 'valibot'
import type { Columns } from '../telemetry/columns.ts'
import { Manifest, ManifestEntry } from '../telemetry/manifest.ts'
import { unpackRejections } from '../telemetry/rejection.ts'
import { batchKeyOf } from './batch-key.ts'
import type { ShardStatements } from './tenant-shard-sql.ts'

/** Batches and rejected datapoints in one manifest, at most: some 4 MB. */
const MAX_ENTRIES = 1000
const MAX_REJECTIONS = 100_000

/** As the journal keeps it: the rejections stand in the batch's row. */
const StoredEntry = v.omit(ManifestEntry, ['rejected'])

/** O(series). */
export function manifestEntry(batch: {
  batchId: string
  sha256: ArrayBuffer
  receivedAt: number
  columns: Pick<Columns, 'offsets' | 'ts'>
}): string {
  const { offsets, ts } = batch.columns
  let [least, greatest] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (let s = 1; s < offsets.length; s += 1) {
    least = Math.min(least, ts[offsets[s - 1]!]!)
    greatest = Math.max(greatest, ts[offsets[s]! - 1]!)
  }
  const entry: Omit<ManifestEntry, 'rejected'> = {
    batch_id: batch.batchId,
    sha256: Buffer.from(batch.sha256).toString('hex'),
    received_at: new Date(batch.receivedAt).toISOString(),
    datapoints: ts.length,
    min_ts: new Date(least).toISOString(),
    max_ts: new Date(greatest).toISOString(),
  }
  return JSON.stringify(entry)
}

/** The manifest of the oldest journal rows up to `until`, of one UTC day; undefined when there are none. */
function nextManifest(
  db: ShardStatements,
  owner: { tenantId: string; shard: number },
  until: number,
): { key: string; manifest: Manifest } | undefined {
  const batches: ManifestEntry[] = []
  let [first, last, day, rejections] = [0, 0, '', 0]
  for (const { id, entry } of db.journalEntries(until, MAX_ENTRIES)) {
    const stored = v.parse(StoredEntry, JSON.parse(entry))
    const rejected = rejectedOf(db, stored.batch_id)
    rejections += rejected.length
    if (batches.length === 0) [first, day] = [id, stored.received_at.slice(0, 10)]
    else if (!stored.received_at.startsWith(day) || rejections > MAX_REJECTIONS) break
    batches.push({ ...stored, rejected })
    last = id
  }
  if (batches.length === 0) return undefined
  return {
    key: `manifest/${owner.tenantId}/${day}/${owner.shard}-${String(first).padStart(12, '0')}`,
    manifest: { tenant_id: owner.tenantId, shard: owner.shard, first, last, batches },
  }
}

function rejectedOf(db: ShardStatements, batchId: string): [number, string][] {
  const packed = db.batch(batchKeyOf(batchId))?.rejected
  if (!packed) return []
  return unpackRejections(new Uint32Array(packed)).map(({ ordinal, code }) => [ordinal, code])
}

/**
 * Puts a manifest into the archive and returns the last journal id that is in it now. After a crash between
 * this and cutting the journal the manifest is there already, of perhaps fewer batches: then that one counts.
 */
async function archiveManifest(bucket: R2Bucket, key: string, manifest: Manifest): Promise<number> {
  const stored = await bucket.put(key, JSON.stringify(manifest), {
    onlyIf: { etagDoesNotMatch: '*' },
    httpMetadata: { contentType: 'application/json' },
  })
  if (stored !== null) return manifest.last
  const found = await bucket.get(key)
  if (found === null) throw new Error(`the manifest ${key} is neither there nor can it be written`)
  return v.parse(Manifest, await found.json()).last
}

/** Writes manifests of all journal rows up to `until`, one after the other, and cuts the journal behind each. */
export async function writeManifests(
  db: ShardStatements,
  bucket: R2Bucket,
  owner: { tenantId: string; shard: number },
  until: number,
): Promise<void> {
  for (;;) {
    const next = nextManifest(db, owner, until)
    if (next === undefined) return
    db.cutJournal(await archiveManifest(bucket, next.key, next.manifest))
  }
}

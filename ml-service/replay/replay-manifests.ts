import type pg from 'pg'
import * as v from 'valibot'
import type { LoadedBatch } from '../../telemetry/batch-rows.ts'
import { batchTransactions } from '../../telemetry/batch-transactions.ts'
import { Manifest, type ManifestEntry } from '../../telemetry/manifest.ts'
import { batchBytes, MAX_TRANSACTION_BYTES } from '../../telemetry/portions.ts'
import { inTransaction, isConflict, OPERATOR, scopedDatabase } from '../database.ts'
import { ensurePartitions } from '../retention/retention-sql.ts'
import { BatchNames } from './batch-names.ts'
import { joined, type Range, runsOf, spanOf, wantedEntries } from './plan-replay.ts'
import { type DamagedBatch, readBatch } from './read-batch.ts'
import { isReplayed, markReplayed, type Scope } from './replay-sql.ts'
import type { Archive } from './s3-archive.ts'

/** A manifest holds at most a thousand batches and a hundred thousand rejections: some 4 MB. */
const MAX_MANIFEST_BYTES = 32 * 1024 * 1024

export const manifestPrefix = (tenantId: string) => `manifest/${tenantId}/`

export interface ReplayDeps {
  pool: pg.Pool
  archive: Archive
  now: () => number
  onDamaged: (batch: DamagedBatch) => void
  onManifest: () => void
}

export interface Replayed {
  batches: number
  datapoints: number
  damaged: number
  /** Event time of all batches in the range, also of those that an earlier run stored. */
  span: Range | undefined
  /** All that any manifest names, whatever the range. */
  names: BatchNames
}

/** What of the archive to load: batches with a datapoint in `range`, none that ended before `keepFrom`. */
export interface Wanted extends Scope {
  range: Range
  keepFrom: number
}

/**
 * Stores the batches that the tenant's manifests name, manifest by manifest; those that an earlier run of the same
 * scope has stored are passed over. Memory holds a manifest, eight objects and a transaction.
 */
export async function replayManifests(deps: ReplayDeps, wanted: Wanted): Promise<Replayed> {
  const result: Replayed = { batches: 0, datapoints: 0, damaged: 0, span: undefined, names: new BatchNames() }
  const db = scopedDatabase(deps.pool, wanted)
  for await (const key of deps.archive.list(manifestPrefix(wanted.tenantId))) {
    const manifest = await readManifest(deps.archive, key, wanted.tenantId)
    for (const { batch_id } of manifest.batches) result.names.add(batch_id)
    const entries = wantedEntries(manifest.batches, wanted.range, wanted.keepFrom)
    result.span = joined(result.span, spanOf(entries))
    if (!(await isReplayed(db, wanted, key))) {
      const damaged = await replayManifest(deps, wanted, manifest.shard, entries, result)
      // One with damage is looked at again, so that every run reports it.
      if (damaged === 0) await markReplayed(db, wanted, key)
      result.damaged += damaged
    }
    deps.onManifest()
  }
  return result
}

async function readManifest(archive: Archive, key: string, tenantId: string): Promise<Manifest> {
  const object = await archive.read(key, MAX_MANIFEST_BYTES)
  if (object === undefined || object === 'too large') throw new Error(`The manifest ${key} cannot be read.`)
  const manifest = v.parse(Manifest, JSON.parse(new TextDecoder().decode(object.bytes)))
  if (manifest.tenant_id !== tenantId) throw new Error(`The manifest ${key} is another tenant's.`)
  return manifest
}

/** Returns how many of its batches are damaged. */
async function replayManifest(
  deps: ReplayDeps,
  { tenantId, keepFrom }: Wanted,
  shard: number,
  entries: ManifestEntry[],
  result: Replayed,
): Promise<number> {
  const span = spanOf(entries)
  if (span === undefined) return 0
  await ensurePartitions(scopedDatabase(deps.pool, OPERATOR), Math.max(span.from, keepFrom), span.to - 1)
  let damaged = 0
  let waiting: LoadedBatch[] = []
  let bytes = 0
  for (const run of runsOf(entries)) {
    const read = await Promise.all(run.map((entry) => readBatch(deps.archive, { tenantId, shard }, entry)))
    for (const batch of read) {
      if ('reason' in batch) {
        deps.onDamaged(batch)
        damaged += 1
        continue
      }
      if (bytes + batchBytes(batch.columns) > MAX_TRANSACTION_BYTES) {
        await store(deps, tenantId, waiting, result)
        waiting = []
        bytes = 0
      }
      waiting.push(batch)
      bytes += batchBytes(batch.columns)
    }
  }
  await store(deps, tenantId, waiting, result)
  return damaged
}

async function store(
  { pool, now }: ReplayDeps,
  tenantId: string,
  batches: LoadedBatch[],
  result: Replayed,
): Promise<void> {
  if (batches.length === 0) return
  for (const statements of batchTransactions(tenantId, batches, now())) {
    await despiteConflicts(() =>
      inTransaction(pool, { tenantId }, async (db) => {
        for (const statement of statements) await db.query(statement)
      }),
    )
  }
  result.batches += batches.length
  result.datapoints += batches.reduce((sum, { columns }) => sum + columns.ts.length, 0)
}

const MAX_ATTEMPTS = 5

/** Beside live traffic Postgres may choose this transaction to give way: the same again will do. */
async function despiteConflicts(work: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work()
    } catch (error) {
      if (!isConflict(error) || attempt === MAX_ATTEMPTS) throw error
    }
  }
}

import * as v from 'valibot'
import { archiveKeyOf } from '../telemetry/archived-batch.ts'
import { Manifest, type ManifestEntry } from '../telemetry/manifest.ts'
import {
  batchesKnownFrom,
  DAY_MS,
  dataKeptFrom,
  QUEUE_LIFE_DAYS,
  USAGE_DAYS,
} from '../telemetry/retention-periods.ts'
import { dayOf } from './admission.ts'
import { batchKeyOf } from './batch-key.ts'
import type { TenantConfig } from './tenant-config.ts'
import type { BatchRow, ShardStatements } from './tenant-shard-sql.ts'
import { decodeFlush } from './window-frames.ts'

/** Manifests forgotten by one alarm, each of at most a thousand batches and 4 MB. */
const MANIFESTS_AT_ONCE = 4
const SWEEP_EVERY_MS = DAY_MS
const KEY = 'sweep'

const Sweep = v.object({
  /** The manifest looked at last; '': the sweep begins with the oldest. */
  cursor: v.string(),
  nextSweepAt: v.number(),
})

/** How far a shard is in forgetting old batches. */
export type Sweep = v.InferOutput<typeof Sweep>

export function readSweep(db: ShardStatements): Sweep {
  const stored = db.meta(KEY)
  return stored === undefined ? { cursor: '', nextSweepAt: 0 } : v.parse(Sweep, JSON.parse(stored))
}

export interface ForgetDeps {
  db: ShardStatements
  owner: { tenant_id: string; shard: number }
  bucket: Pick<R2Bucket, 'list' | 'get' | 'delete'>
  /** The tenant's configuration as it is now. */
  config(): TenantConfig
  /** Makes every shard of the tenant refuse what batches received before `since` may hold. */
  announce(since: number): Promise<void>
  /** Runs writes that belong together. */
  transaction<T>(writes: () => T): T
}

/**
 * Forgets batches received more than retention + 1 day ago, some manifests a call: their rows, their objects, and the
 * manifest that lists them, together, so that a manifest names nothing that is gone. Every step can be repeated. The
 * manifests are gone through once a day; one with a batch that is not settled stays until another day.
 */
export async function forgetBatches(deps: ForgetDeps, sweep: Sweep, now: number): Promise<Sweep> {
  const cutoff = batchesKnownFrom(deps.config().plan.retentionDays, now)
  const page = await listManifests(deps, sweep.cursor, dayOf(cutoff))
  const keys = page.keys.slice(0, MANIFESTS_AT_ONCE)
  let done = page.isLast && keys.length === page.keys.length
  for (const key of keys) if ((await forgetManifest(deps, key, cutoff, now)) === 'young') done = true
  if (done) forgetOthers(deps, now)
  const cursor = keys.length < page.keys.length ? keys.at(-1)! : page.end
  const next = done ? { cursor: '', nextSweepAt: now + SWEEP_EVERY_MS } : { cursor, nextSweepAt: now }
  deps.db.setMeta(KEY, JSON.stringify(next))
  return next
}

/** A page of the tenant's manifests: the shard's own of days up to `lastDay`, the oldest first, and where it ends. */
async function listManifests({ bucket, owner }: ForgetDeps, cursor: string, lastDay: string) {
  const prefix = `manifest/${owner.tenant_id}/`
  const { objects, truncated } = await bucket.list({ prefix, ...(cursor !== '' && { startAfter: cursor }) })
  const due = objects
    .map(({ key }) => key)
    .filter((key) => key.slice(prefix.length).split('/')[0]! <= lastDay)
  const keys = due.filter((key) => key.split('/').at(-1)?.startsWith(`${owner.shard}-`))
  return { keys, end: objects.at(-1)?.key ?? cursor, isLast: !truncated || due.length < objects.length }
}

/** 'young': what is in it, and all that follows, is not due yet; 'kept': another day. */
async function forgetManifest(
  deps: ForgetDeps,
  key: string,
  cutoff: number,
  now: number,
): Promise<'forgotten' | 'kept' | 'young'> {
  const { db, bucket, transaction } = deps
  const object = await bucket.get(key)
  if (object === null) return 'forgotten'
  const { batches } = v.parse(Manifest, await object.json())
  if (batches.some(({ received_at }) => Date.parse(received_at) >= cutoff)) return 'young'
  const known = batches.filter((entry) => knows(db, entry))
  const isSettled = ({ batch_id }: ManifestEntry) => isLongSettled(db.batch(batchKeyOf(batch_id)), now)
  if (!known.every(isSettled)) return 'kept'
  if (known.length > 0) {
    if ((deps.config().dedupeSince ?? Number.NEGATIVE_INFINITY) < newestOf(known)) await deps.announce(cutoff)
    // While the rows are there nothing else is accepted under these batch_ids: no object of another batch can go.
    await bucket.delete(known.map(({ batch_id }) => archiveKeyOf(deps.owner.tenant_id, batch_id)))
    const forgotten = transaction(() => {
      if (!known.every(isSettled)) return false // an operator asked for one again meanwhile
      for (const { batch_id } of known) db.removeBatch(batchKeyOf(batch_id))
      return true
    })
    if (!forgotten) return 'kept'
  }
  await bucket.delete(key)
  return 'forgotten'
}

/** Another row under the same batch_id is that of a batch which came after this one was forgotten. */
const knows = (db: ShardStatements, { batch_id, received_at }: ManifestEntry) =>
  db.batch(batchKeyOf(batch_id))?.received_at === Date.parse(received_at)

const newestOf = (entries: ManifestEntry[]) =>
  entries.reduce((newest, { received_at }) => Math.max(newest, Date.parse(received_at) + 1), 0)

/** Stored for so long that no message about it is left in the queues, which would not find it; or given up. */
function isLongSettled(row: BatchRow | undefined, now: number): boolean {
  if (row === undefined) return true
  if (row.persisted_at === null) return row.next_send_at === null
  return row.persisted_at < now - QUEUE_LIFE_DAYS * DAY_MS
}

/** Counters that are old, and flushes that were given up and hold nothing that is still kept. */
function forgetOthers({ db, config }: ForgetDeps, now: number): void {
  db.removeUsage(dayOf(now - USAGE_DAYS * DAY_MS))
  const keptFrom = dataKeptFrom(config().plan.retentionDays, now)
  for (const id of db.parkedFlushes()) {
    const bytes = db.flush(id)
    const windows = bytes === undefined ? [] : decodeFlush(new Uint8Array(bytes)).windows
    if (windows.every(({ windowStart }) => windowStart < keptFrom)) db.removeFlush(id)
  }
}

import { nextAlarm } from './next-alarm.ts'
import type { ShardStatements } from './tenant-shard-sql.ts'

/** A release is remembered this long: longer than any request can lie between its archiving and its admission. */
const REMEMBERED_MS = 120_000
/** A removal that was not confirmed may still happen; after this it is repeated. */
const RETRY_AFTER_MS = 10_000

interface ReleaseDeps {
  db: ShardStatements
  bucket: Pick<R2Bucket, 'head' | 'delete'>
  archiveKey(batchId: string): string
}

/**
 * Removes archive objects of batches that were refused whole, so that their batch_ids are free again, without
 * ever taking the bytes of an accepted batch. A row says that an object was removed, or is being removed: until
 * that is confirmed nothing with its batch_id is admitted, and for a while after only what a look into the
 * archive has shown to be there.
 */
export class Releases {
  readonly #deps: ReleaseDeps
  /** Looks into the archive that are under way; one that a removal crosses is not believed. */
  readonly #looks = new Set<{ batchId: string; crossed: boolean }>()
  /** Nothing to do before this: kept here because a refusal must not read through all rows. */
  #dueAt: number | undefined

  constructor(deps: ReleaseDeps) {
    this.#deps = deps
    this.#dueAt = this.#nextDue()
  }

  /**
   * Frees a batch_id that the shard does not know. An object from before `forgottenBefore` may be that of a
   * batch which was accepted and then forgotten: it stays, and false is returned.
   */
  async release(
    id: ArrayBuffer,
    batchId: string,
    now: number,
    forgottenBefore: number | null,
  ): Promise<boolean> {
    if (forgottenBefore !== null && (await this.#receivedAt(batchId)) < forgottenBefore) return false
    const { db } = this.#deps
    if (db.batch(id) !== undefined) return false
    db.putRelease(id, batchId, now)
    this.#dueAt = nextAlarm([this.#dueAt, now + RETRY_AFTER_MS], 0)
    await this.#remove(id, batchId, now).catch(() => {}) // the refusal stands either way; `retry` goes on
    return true
  }

  /**
   * Whether the archive holds these very bytes for a batch the shard does not know. `found`: the request did not
   * write the object itself, so another one may have removed it.
   */
  async archiveHolds(
    id: ArrayBuffer,
    batchId: string,
    sha256: ArrayBuffer,
    found: boolean,
  ): Promise<boolean> {
    const { db, bucket, archiveKey } = this.#deps
    const release = db.release(id)
    if (release?.removed === 0) return false
    if (!found && release === undefined) return true
    const look = { batchId, crossed: false }
    this.#looks.add(look)
    try {
      const object = await bucket.head(archiveKey(batchId))
      if (look.crossed || db.release(id)?.removed === 0) return false
      return object?.customMetadata?.['sha256'] === Buffer.from(sha256).toString('hex')
    } finally {
      this.#looks.delete(look)
    }
  }

  /** Repeats removals that were not confirmed, and forgets those that are long over. */
  async retry(now: number): Promise<void> {
    const { db } = this.#deps
    db.forgetReleases(now - REMEMBERED_MS)
    try {
      for (const { id, batch_id } of db.unfinishedReleases(now - RETRY_AFTER_MS))
        await this.#remove(id, batch_id, now)
    } finally {
      this.#dueAt = this.#nextDue()
    }
  }

  /** Whether no release is remembered: known without reading. */
  get none(): boolean {
    return this.#dueAt === undefined
  }

  /** When `retry` has something to do. */
  dueAt(): number | undefined {
    return this.#dueAt
  }

  #nextDue(): number | undefined {
    const { unfinished, over } = this.#deps.db.releaseTimes()
    const retryAt = unfinished === null ? undefined : unfinished + RETRY_AFTER_MS
    return nextAlarm([retryAt, over === null ? undefined : over + REMEMBERED_MS], 0)
  }

  /** When the object under this batch_id was archived; what cannot be told counts as long ago. */
  async #receivedAt(batchId: string): Promise<number> {
    const object = await this.#deps.bucket.head(this.#deps.archiveKey(batchId))
    const receivedAt = Date.parse(object?.customMetadata?.['received_at'] ?? '')
    return Number.isNaN(receivedAt) ? Number.NEGATIVE_INFINITY : receivedAt
  }

  async #remove(id: ArrayBuffer, batchId: string, now: number): Promise<void> {
    const { db, bucket, archiveKey } = this.#deps
    this.#cross(batchId)
    await bucket.delete(archiveKey(batchId))
    db.endRelease(id, now)
    this.#cross(batchId)
  }

  #cross(batchId: string): void {
    for (const look of this.#looks) if (look.batchId === batchId) look.crossed = true
  }
}

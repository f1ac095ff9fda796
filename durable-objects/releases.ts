import type { ShardStatements } from './tenant-shard-sql.ts'

/** A release is remembered this long: longer than any request can lie between its archiving and its admission. */
const REMEMBERED_MS = 120_000
const RETRY_AFTER_MS = 30_000

interface ReleaseDeps {
  db: ShardStatements
  bucket: Pick<R2Bucket, 'head' | 'delete'>
  archiveKey(batchId: string): string
}

/**
 * Removes archive objects of batches that were refused whole, so that their batch_ids are free again, without
 * ever taking the bytes of an accepted batch. A row says that an object was or is being removed; while it
 * stands, nothing with that batch_id is admitted before a look into the archive has shown its very bytes.
 */
export class Releases {
  readonly #deps: ReleaseDeps
  readonly #underWay = new Set<string>()
  /** Moves when a removal starts and when it ends, so that a look in between is not believed. */
  #changes = 0

  constructor(deps: ReleaseDeps) {
    this.#deps = deps
  }

  /** Frees a batch_id that the shard does not know. What fails now is tried again by `retry`. */
  async release(id: ArrayBuffer, batchId: string, now: number): Promise<void> {
    this.#deps.db.putRelease(id, batchId, now)
    await this.#remove(id, batchId, now).catch(() => {}) // the refusal stands either way
  }

  /**
   * Whether the archive holds these very bytes for a batch the shard does not know. `found`: the request did not
   * write the object itself, so another one may be removing it.
   */
  async archiveHolds(
    id: ArrayBuffer,
    batchId: string,
    sha256: ArrayBuffer,
    found: boolean,
  ): Promise<boolean> {
    const { db, bucket, archiveKey } = this.#deps
    if (this.#underWay.has(batchId)) return false
    if (!found && !db.hasRelease(id)) return true
    const before = this.#changes
    const object = await bucket.head(archiveKey(batchId))
    if (before !== this.#changes || this.#underWay.has(batchId)) return false
    return object?.customMetadata?.['sha256'] === Buffer.from(sha256).toString('hex')
  }

  /** Tries removals again that failed, and forgets those that are over. */
  async retry(now: number): Promise<void> {
    const { db } = this.#deps
    db.forgetReleases(now - REMEMBERED_MS)
    for (const { id, batch_id } of db.failedReleases(now - RETRY_AFTER_MS)) {
      if (db.batch(id) === undefined) await this.#remove(id, batch_id, now)
      else db.endRelease(id, now)
    }
  }

  /** When `retry` has something to do. */
  dueAt(): number | undefined {
    const { failed, over } = this.#deps.db.releaseTimes()
    const due = [
      failed === null ? undefined : failed + RETRY_AFTER_MS,
      over === null ? undefined : over + REMEMBERED_MS,
    ]
    return due.reduce(
      (least, at) => (least === undefined || (at !== undefined && at < least) ? at : least),
      undefined,
    )
  }

  async #remove(id: ArrayBuffer, batchId: string, now: number): Promise<void> {
    const { db, bucket, archiveKey } = this.#deps
    this.#underWay.add(batchId)
    this.#changes += 1
    try {
      await bucket.delete(archiveKey(batchId))
      db.endRelease(id, now)
    } finally {
      this.#underWay.delete(batchId)
      this.#changes += 1
    }
  }
}

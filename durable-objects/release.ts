/**
 * Removes archive objects of batches that were refused whole, so that their batch_ids are free again, without
 * ever taking the bytes of an accepted batch: while one is being removed nothing with its id is admitted.
 */
export class Releases {
  readonly #bucket: R2Bucket
  readonly #underWay = new Set<string>()
  #count = 0

  constructor(bucket: R2Bucket) {
    this.#bucket = bucket
  }

  async remove(key: string): Promise<void> {
    this.#underWay.add(key)
    this.#count += 1
    try {
      await this.#bucket.delete(key)
    } finally {
      this.#underWay.delete(key)
    }
  }

  /** Whether an object with this key is being removed right now. */
  has(key: string): boolean {
    return this.#underWay.has(key)
  }

  /** Whether the archive holds the object, and nothing was removed while it was looked at. */
  async archiveHolds(key: string): Promise<boolean> {
    const before = this.#count
    const object = await this.#bucket.head(key)
    return object !== null && before === this.#count && !this.has(key)
  }
}

import { createHash } from 'node:crypto'

const FIRST_CAPACITY = 1024

/**
 * The batch_ids that manifests name, for a look at what else the archive holds: eight bytes each, so that those of
 * ten million batches fit. Of two ids in 2^53 one would be taken for the other.
 */
export class BatchNames {
  #hashes = new Float64Array(FIRST_CAPACITY)
  #length = 0
  #isSorted = true

  add(batchId: string): void {
    if (this.#length === this.#hashes.length) {
      const larger = new Float64Array(this.#length * 2)
      larger.set(this.#hashes)
      this.#hashes = larger
    }
    this.#hashes[this.#length] = hashOf(batchId)
    this.#length += 1
    this.#isSorted = false
  }

  /** O(log n), but for the first one after an `add`. */
  has(batchId: string): boolean {
    const hashes = this.#hashes.subarray(0, this.#length)
    if (!this.#isSorted) hashes.sort()
    this.#isSorted = true
    const wanted = hashOf(batchId)
    let [low, high] = [0, hashes.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (hashes[middle]! < wanted) low = middle + 1
      else high = middle
    }
    return hashes[low] === wanted
  }
}

const hashOf = (batchId: string) =>
  Number(createHash('sha256').update(batchId).digest().readBigUInt64BE(0) >> 11n)

import type { LoadedBatch } from '../../telemetry/batch-rows.ts'
import { batchBytes, MAX_TRANSACTION_BYTES } from '../../telemetry/portions.ts'

/**
 * Gathers batches until they fill a transaction, and stores each full group while the next one is gathered: never
 * two at once, as they would wait for each other's rows.
 */
export class BatchGroups<Item extends { batch: LoadedBatch }> {
  readonly #store: (group: Item[]) => Promise<void>
  #group: Item[] = []
  #bytes = 0
  #storing = Promise.resolve()

  /** `store` settles its own failures. */
  constructor(store: (group: Item[]) => Promise<void>) {
    this.#store = store
  }

  /** Waits where a full group waits for the one before. */
  async add(item: Item): Promise<void> {
    const bytes = batchBytes(item.batch.columns)
    while (this.#isFullFor(bytes)) {
      await this.#storing
      if (this.#isFullFor(bytes)) this.#close() // it may be another that was added meanwhile
    }
    this.#group.push(item)
    this.#bytes += bytes
  }

  /** Stores what is left; resolves when all is stored. */
  async finish(): Promise<void> {
    await this.#storing
    this.#close()
    await this.#storing
  }

  #isFullFor(bytes: number): boolean {
    return this.#group.length > 0 && this.#bytes + bytes > MAX_TRANSACTION_BYTES
  }

  #close(): void {
    if (this.#group.length > 0) this.#storing = this.#store(this.#group)
    this.#group = []
    this.#bytes = 0
  }
}

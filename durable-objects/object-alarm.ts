/** The one alarm of an object, set only when it must ring earlier than it would: every setting is a row written. */
export class ObjectAlarm {
  readonly #storage: DurableObjectStorage
  #at: number | undefined

  constructor(storage: DurableObjectStorage) {
    this.#storage = storage
  }

  /** Learns when the alarm that outlived the object's last run will ring. */
  async load(): Promise<void> {
    this.#at = (await this.#storage.getAlarm()) ?? undefined
  }

  /** To be called when the alarm rings: it is then no longer set. */
  rang(): void {
    this.#at = undefined
  }

  /** Makes it ring at `at` or earlier; undefined asks for nothing. */
  async arm(at: number | undefined): Promise<void> {
    if (at === undefined || (this.#at !== undefined && this.#at <= at)) return
    this.#at = at
    try {
      await this.#storage.setAlarm(at)
    } catch (error) {
      this.#at = undefined // none is set, as far as anybody knows: the next call tries again
      throw error
    }
  }
}

/** Work under way, by name: who is about to undo it can wait for its end. */
export class UnderWay {
  readonly #work = new Map<string, Set<Promise<unknown>>>()

  /** Runs `work`, under `name` until it has ended. */
  async during<T>(name: string, work: () => Promise<T>): Promise<T> {
    const running = work()
    const others = this.#work.get(name) ?? new Set()
    this.#work.set(name, others.add(running))
    try {
      return await running
    } finally {
      others.delete(running)
      if (others.size === 0) this.#work.delete(name)
    }
  }

  /** Waits for what is under way under `name` now, however it ends. */
  async ended(name: string): Promise<void> {
    await Promise.allSettled(this.#work.get(name) ?? [])
  }
}

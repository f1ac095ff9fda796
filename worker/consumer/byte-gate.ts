/** Lets work in, first come first served, while all that is inside holds at most `limit` bytes together. */
export class ByteGate {
  readonly #limit: number
  #held = 0
  readonly #waiting: { bytes: number; enter: () => void }[] = []

  constructor(limit: number) {
    this.#limit = limit
  }

  /** Runs `work` once there is room for the bytes that it holds; what is larger than the limit comes in alone. */
  async within<T>(bytes: number, work: () => Promise<T>): Promise<T> {
    await new Promise<void>((enter) => {
      this.#waiting.push({ bytes, enter })
      this.#admit()
    })
    try {
      return await work()
    } finally {
      this.#held -= bytes
      this.#admit()
    }
  }

  #admit(): void {
    for (;;) {
      const next = this.#waiting[0]
      if (next === undefined || (this.#held > 0 && this.#held + next.bytes > this.#limit)) return
      this.#waiting.shift()
      this.#held += next.bytes
      next.enter()
    }
  }
}

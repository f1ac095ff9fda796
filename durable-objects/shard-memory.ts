import { restoreState, type ShardState } from './shard-state.ts'
import type { ShardStatements } from './tenant-shard-sql.ts'

interface MemoryDeps {
  db: ShardStatements
  random: () => number
  /** Ends the object: its next call finds a new one. */
  abort(reason: string): void
}

/** A shard's memory. It changes only with a commit; should the two part, it is read from the storage again. */
export class ShardMemory {
  readonly #deps: MemoryDeps
  state: ShardState

  constructor(deps: MemoryDeps) {
    this.#deps = deps
    this.state = restoreState(deps.db, deps.random)
  }

  /** Runs a change that belongs to a commit, which it may contain. */
  change<T>(change: (state: ShardState) => T): T {
    try {
      return change(this.state)
    } catch (error) {
      this.#reload()
      throw error
    }
  }

  #reload(): void {
    const { db, random, abort } = this.#deps
    try {
      this.state = restoreState(db, random)
    } catch (error) {
      abort(`memory cannot be read from the storage: ${error}`)
    }
  }
}

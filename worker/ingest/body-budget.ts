const MIB = 1024 * 1024

/**
 * What bodies in flight may hold together in one isolate, which has 128 MiB. Of the rest, 16 MiB are the runtime
 * and the code, and 52 MiB are for the one body that is being parsed: the tree of at most MAX_JSON_NODES. Parsing
 * does not wait for anything, so there is never a second one.
 */
export const BUDGET_BYTES = 60 * MIB

/** Large bodies leave this much to small ones, which so pass beside them. */
export const SMALL_SHARE_BYTES = 8 * MIB
/** What a body of some 1,000 datapoints costs at most. */
const SMALL_BYTES = MIB / 2

/** All arrays that 50,000 datapoints need until they are answered, the copy for the object included. */
const MAX_COLUMNS_BYTES = 5 * MIB
const COLUMNS_BYTES_A_BYTE = 5

/** Nothing that is alive leaves its lease alone for so long: bodies stall no longer, answers are due within 10 s. */
const ABANDONED_MS = 60_000

/** Large bodies are taken at about two a second: their senders come back in this many seconds for each refused. */
const SECONDS_A_REFUSAL = 0.5
const MAX_RETRY_SECONDS = 30
/** A refusal counts half after this. */
const REFUSAL_HALF_LIFE_MS = 10_000

/** What one request holds of the budget. */
export interface Lease {
  bytes: number
  touchedAt: number
  closed: boolean
}

/**
 * The memory that a body takes, given its bytes so far: the body itself and, never both at once, the chunks it
 * came in or its text; the compressed bytes, where it was sent compressed; and the columns.
 */
export function costOf(wireBytes: number, inflatedBytes: number): number {
  const plainBytes = Math.max(wireBytes, inflatedBytes)
  const compressedBytes = inflatedBytes > 0 ? wireBytes : 0
  return compressedBytes + 2 * plainBytes + Math.min(COLUMNS_BYTES_A_BYTE * plainBytes, MAX_COLUMNS_BYTES)
}

/** Keeps the bodies in flight of one isolate within BUDGET_BYTES. */
export class BodyBudget {
  readonly #leases = new Set<Lease>()
  #heldBytes = 0
  /** Refusals of late, and when the last one was. */
  #refusals = 0
  #refusedAt = 0

  get heldBytes(): number {
    return this.#heldBytes
  }

  open(now: number): Lease {
    const lease = { bytes: 0, touchedAt: now, closed: false }
    this.#leases.add(lease)
    return lease
  }

  /** Lets the lease hold `bytes` in all, if that fits; it never shrinks. O(1), O(leases) where it does not fit. */
  grow(lease: Lease, bytes: number, now: number): boolean {
    if (lease.closed) return false // its request is over
    lease.touchedAt = now
    const more = bytes - lease.bytes
    if (more <= 0) return true
    const limit = bytes > SMALL_BYTES ? BUDGET_BYTES - SMALL_SHARE_BYTES : BUDGET_BYTES
    if (this.#heldBytes + more > limit) this.#reclaim(now)
    if (this.#heldBytes + more > limit) return false
    this.#leases.add(lease) // it may have been taken for dead
    lease.bytes = bytes
    this.#heldBytes += more
    return true
  }

  /**
   * Called for each refusal: the seconds after which its sender should come back. They are spread over the time
   * that those refused of late will take, as each of them who comes too early costs as much as one who is taken.
   */
  retryAfterSeconds(now: number, random: () => number): number {
    this.#refusals = 1 + this.#refusals * 2 ** ((this.#refusedAt - now) / REFUSAL_HALF_LIFE_MS)
    this.#refusedAt = now
    return Math.ceil(random() * Math.min(MAX_RETRY_SECONDS, 1 + SECONDS_A_REFUSAL * this.#refusals)) || 1
  }

  close(lease: Lease): void {
    this.#free(lease)
    lease.closed = true
  }

  /** The runtime may end a request without a word, as beyond its CPU limit: nobody closes its lease then. */
  #reclaim(now: number): void {
    for (const lease of this.#leases) if (lease.touchedAt < now - ABANDONED_MS) this.#free(lease)
  }

  #free(lease: Lease): void {
    this.#leases.delete(lease)
    this.#heldBytes -= lease.bytes
    lease.bytes = 0
  }
}

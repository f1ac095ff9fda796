import { createHash } from 'node:crypto'

/** The key a batch has in its shard: 16 bytes of the SHA-256 of its id. */
export function batchKeyOf(batchId: string): ArrayBuffer {
  return new Uint8Array(createHash('sha256').update(batchId).digest().subarray(0, 16)).buffer
}

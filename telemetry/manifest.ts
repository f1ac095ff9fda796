import * as v from 'valibot'

export const ManifestEntry = v.object({
  batch_id: v.string(),
  /** Of the decompressed body, hex. */
  sha256: v.string(),
  received_at: v.string(),
  datapoints: v.number(),
  /** Least and greatest timestamp among the accepted datapoints. */
  min_ts: v.string(),
  max_ts: v.string(),
  /** Rejected datapoints: ordinal in the body, code. */
  rejected: v.array(v.tuple([v.number(), v.string()])),
})
export type ManifestEntry = v.InferOutput<typeof ManifestEntry>

/**
 * The ledger of what was accepted, in the archive: `raw/` holds what was sent, manifests say which of it
 * counts, when it came and what was rejected. Immutable; together a shard's manifests list each batch once.
 */
export const Manifest = v.object({
  tenant_id: v.string(),
  shard: v.number(),
  /** Journal ids, first and last. */
  first: v.number(),
  last: v.number(),
  batches: v.array(ManifestEntry),
})
export type Manifest = v.InferOutput<typeof Manifest>

/**
 * What one thing costs, as measured on two x86 cores; the comment names what measures it. Everything else in the model
 * is arithmetic.
 */
export const COUNTERS = {
  /** Printed by durable-objects/cost.workerd.test.ts: flush, manifest, acknowledgement and alarms included. */
  rowsWrittenABatch: 7.5,
  /** `npm run bench -- edge_cpu`, shape `series`. */
  edgeNsADatapoint: 134,
  edgeNsABatch: 25_000,
  /** `npm run bench -- flush_rate`. */
  datapointBytes: 178,
  datapointsPersistedASecond: 157_000,
  /** pg_total_relation_size of `window_aggregates` and `anomaly_scores` after the demo, divided by their rows. */
  windowBytes: 386,
  scoreBytes: 372,
  /** `npm run bench -- score_rate`: one process. */
  windowsScoredASecond: 40_000,
  /** A batch's row in its shard until it is forgotten. */
  batchRowBytes: 95,
} as const

import { windowStartOf } from './window.ts'

/*
 * How long everything is kept: the one place that says so. `docs/retention.md` tells it as a table.
 */

export const DAY_MS = 86_400_000

/** A message that no consumer took is gone after this: Cloudflare's default, which the queues here are made with. */
export const QUEUE_LIFE_DAYS = 4

/** Days of partitions that are ready ahead of time. */
export const PARTITION_DAYS_AHEAD = 14

/** Alerts that are resolved, from when they opened. Those still open stay. */
export const ALERT_DAYS = 400
/** Deliveries that have ended, from when they were asked for: their attempts take 28 hours. */
export const DELIVERY_DAYS = 30
/** Dead letters that name no tenant; those of a tenant go with its batches. */
export const FOREIGN_LETTER_DAYS = 30
/** Daily counters. */
export const USAGE_DAYS = 800

/**
 * Datapoints before this are past a tenant's retention, and so are windows that start before it, with their scores:
 * the start of a window, so that none is kept of which some datapoints are gone. Epoch ms.
 */
export const dataKeptFrom = (retentionDays: number, now: number) =>
  windowStartOf(now - retentionDays * DAY_MS)

/**
 * Batches received before this are forgotten, by their shard, in the archive and in Postgres: a day more than their
 * datapoints are kept, which are at most ten minutes younger than the batch. Epoch ms.
 */
export const batchesKnownFrom = (retentionDays: number, now: number) => now - (retentionDays + 1) * DAY_MS

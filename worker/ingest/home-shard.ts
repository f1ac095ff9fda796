import { createHash } from 'node:crypto'
import type { ParsedBatch } from '../../telemetry/parsed-batch.ts'

/**
 * The shard a new batch goes to. By gateway, so that a series stays on one shard: `source`, else the smallest
 * device name. A batch seen before goes to the shard its archive object names, whatever the count is now.
 */
export function homeShardOf(
  { source, names }: Pick<ParsedBatch, 'source' | 'names'>,
  shards: number,
): number {
  if (shards === 1) return 0
  const gateway =
    source ?? names.reduce((least, { device }) => (device < least ? device : least), names[0]?.device ?? '')
  return createHash('sha256').update(gateway).digest().readUInt32BE(0) % shards
}

import { scopedDatabase } from '../database.ts'
import { log } from '../log.ts'
import { findTenant } from '../metric-lookup.ts'
import { progress } from '../progress.ts'
import type { Range } from '../replay/plan-replay.ts'
import { rebuildWindows } from '../replay/rebuild-windows.ts'
import { manifestPrefix, type Replayed, replayManifests } from '../replay/replay-manifests.ts'
import { forgetReplayed, insertLostTenant, retentionDays } from '../replay/replay-sql.ts'
import type { Archive } from '../replay/s3-archive.ts'
import { UsageError } from '../usage-error.ts'
import { type Command, type CommandContext, rangeOptions, required } from './command.ts'

const DAY_MS = 86_400_000
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/**
 * Rebuilds what Postgres holds of a tenant's telemetry from the archive; see docs/replay.md. Exit code 1 when some
 * of it is damaged: everything else is stored all the same.
 */
export const replay: Command = async (context, options) => {
  const range = rangeOptions(options)
  const reference = required(options, 'tenant')
  const settings = context.environment.archive()
  // Loaded here alone: the SDK is large, and other commands start often.
  const { openArchive } = await import('../replay/s3-archive.ts')
  const archive = openArchive(settings)
  try {
    const tenantId = await tenantOf(context, archive, reference)
    return await replayTenant(context, archive, tenantId, range)
  } finally {
    archive.close()
  }
}

/** A tenant that the database has lost with everything else is known by its id alone. */
async function tenantOf({ pool }: CommandContext, archive: Archive, reference: string): Promise<string> {
  try {
    return await findTenant(pool, reference)
  } catch (error) {
    const id = reference.toLowerCase()
    if (!(error instanceof UsageError) || !UUID.test(id)) throw error
    if ((await archive.list(manifestPrefix(id)).next()).done) throw error
    await insertLostTenant(scopedDatabase(pool, { tenantId: id }), id)
    log('warn', 'tenant_lost', {
      tenant_id: id,
      message: 'its name is its id now, and nothing of it expires',
    })
    return id
  }
}

async function replayTenant(
  { pool, now, print }: CommandContext,
  archive: Archive,
  tenantId: string,
  range: Range,
): Promise<number> {
  const db = scopedDatabase(pool, { tenantId })
  const scope = { tenantId, scope: `${range.from}..${range.to}` }
  const bar = progress('replayed', await count(archive.list(manifestPrefix(tenantId))), { unit: 'manifests' })
  const replayed = await replayManifests(
    {
      ...{ pool, archive, now },
      onManifest: bar.step,
      onDamaged: ({ batchId, reason }) =>
        log('error', 'batch_damaged', { tenant_id: tenantId, batch_id: batchId, reason }),
    },
    { ...scope, range, keepFrom: now() - (await retentionDays(db, tenantId)) * DAY_MS },
  )
  bar.end()
  const windows = await rebuild({ pool, now }, tenantId, replayed.span)
  const orphans = await reportOrphans(archive, tenantId, replayed)
  await forgetReplayed(db, scope)
  const { batches, datapoints, damaged } = replayed
  print(
    `${batches} batches with ${datapoints} datapoints replayed, ${damaged} damaged; ` +
      `${windows} windows rebuilt; ${orphans} objects that no manifest names`,
  )
  return damaged === 0 ? 0 : 1
}

async function rebuild(
  { pool, now }: Pick<CommandContext, 'pool' | 'now'>,
  tenantId: string,
  span: Range | undefined,
): Promise<number> {
  if (span === undefined) return 0
  const bar = progress('rebuilt the windows of')
  const written = await rebuildWindows(pool, tenantId, span, now(), bar.step)
  bar.end()
  return written
}

/** What was sent and never accepted, or accepted since the last seal. Reported, never loaded. */
async function reportOrphans(archive: Archive, tenantId: string, { names }: Replayed): Promise<number> {
  const prefix = `raw/${tenantId}/`
  let orphans = 0
  for await (const key of archive.list(prefix)) {
    const batchId = key.slice(prefix.length)
    if (names.has(batchId)) continue
    orphans += 1
    log('warn', 'object_unnamed', { tenant_id: tenantId, batch_id: batchId, r2_key: key })
  }
  return orphans
}

async function count(keys: AsyncIterable<string>): Promise<number> {
  let total = 0
  for await (const _ of keys) total += 1
  return total
}

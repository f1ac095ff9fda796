import { DAY_MS, dataKeptFrom, QUEUE_LIFE_DAYS } from '../../telemetry/retention-periods.ts'
import { log } from '../log.ts'
import type { RetentionRun } from './apply-retention.ts'
import { despiteLocks, unlessDropped } from './despite-locks.ts'
import {
  type DatapointKey,
  type Day,
  deleteDatapoints,
  dropDay,
  emptyDay,
  selectDays,
  selectTenantsOf,
  type TenantRetention,
} from './retention-sql.ts'

const CHUNK = 10_000

/** Before every datapoint. */
const FIRST_KEY: DatapointKey = { metricId: '00000000-0000-0000-0000-000000000000', ts: '-infinity' }

const QUEUE_LIFE_MS = QUEUE_LIFE_DAYS * DAY_MS

/**
 * The days that no tenant keeps any more: those that can go, and those that only lose their rows, because what the
 * door let in before may still be on its way through the queues.
 */
export function daysOver(days: number[], longestRetention: number, now: number) {
  const over = days.filter((day) => day + DAY_MS <= now - longestRetention * DAY_MS)
  const isDone = (day: number) => day + DAY_MS <= now - longestRetention * DAY_MS - QUEUE_LIFE_MS
  return { drop: over.filter(isDone), empty: over.filter((day) => !isDone(day)) }
}

export interface ClearedDays {
  daysDropped: number
  daysEmptied: number
  /** Days whose lock was not to be had. */
  daysPostponed: number
}

/** Clears what is over as a whole: by the catalogue, not row by row. */
export async function clearDays({ db, tenants, now, stopped, pausesMs }: RetentionRun): Promise<ClearedDays> {
  const longest = Math.max(0, ...tenants.map(({ retentionDays }) => retentionDays))
  const { drop, empty } = daysOver(await selectDays(db), longest, now)
  const done: ClearedDays = { daysDropped: 0, daysEmptied: 0, daysPostponed: 0 }
  const clear = async (day: number, count: 'daysDropped' | 'daysEmptied', work: () => Promise<boolean>) => {
    if (stopped()) return
    // All days take the same lock: what was not to be had for one need not be waited for again.
    const pauses = done.daysPostponed > 0 ? [] : pausesMs
    const cleared = await despiteLocks(() => unlessDropped(work, false), pauses)
    const date = new Date(day).toISOString().slice(0, 10)
    if (cleared === undefined) {
      done.daysPostponed += 1
      log('warn', 'day_in_use', { day: date })
    } else if (cleared) {
      done[count] += 1
      log('info', count === 'daysDropped' ? 'day_dropped' : 'day_emptied', { day: date })
    }
  }
  for (const day of drop) await clear(day, 'daysDropped', () => dropDay(db, day, now - QUEUE_LIFE_MS))
  for (const day of empty) await clear(day, 'daysEmptied', () => emptyDay(db, day, now))
  return done
}

/** Deletes what single tenants need not keep of days that others do, partition by partition; returns how many rows. */
export async function deleteFromDays(run: RetentionRun): Promise<number> {
  const keptFrom = new Map(
    run.tenants.map((tenant) => [
      tenant.tenantId,
      { ...tenant, until: dataKeptFrom(tenant.retentionDays, run.now) },
    ]),
  )
  const latest = Math.max(Number.NEGATIVE_INFINITY, ...[...keptFrom.values()].map(({ until }) => until))
  const days: Day[] = (await selectDays(run.db)).filter((day) => day < latest)
  let deleted = 0
  for (const day of [...days, undefined]) {
    for (const tenantId of await unlessDropped(() => selectTenantsOf(run.db, day), [])) {
      const tenant = keptFrom.get(tenantId) ?? {
        tenantId,
        retentionDays: undefined,
        until: Number.POSITIVE_INFINITY,
      }
      if (day === undefined || day < tenant.until) deleted += await deleteOf(run, day, tenant)
    }
  }
  return deleted
}

type Kept = Pick<TenantRetention, 'tenantId'> & { retentionDays: number | undefined; until: number }

/** A transaction a chunk: it holds few locks, and a run can stop between two. */
async function deleteOf(run: RetentionRun, day: Day, tenant: Kept): Promise<number> {
  let deleted = 0
  for (let after: DatapointKey | undefined = FIRST_KEY; after !== undefined && !run.stopped(); ) {
    const from: DatapointKey = after
    const chunk = await unlessDropped(
      () => deleteDatapoints(run.db, day, { ...tenant, after: from, limit: CHUNK }),
      { deleted: 0, last: undefined },
    )
    deleted += chunk.deleted
    if (chunk.deleted > 0) run.onChunk()
    after = chunk.last
  }
  return deleted
}

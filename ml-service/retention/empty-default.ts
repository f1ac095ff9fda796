import { DAY_MS } from '../../telemetry/retention-periods.ts'
import type { Database } from '../database.ts'
import { log } from '../log.ts'
import type { RetentionRun } from './apply-retention.ts'
import { despiteLocks, unlessDropped } from './despite-locks.ts'
import {
  beginDefaultMove,
  copyDefault,
  countDefault,
  type DefaultKey,
  ensurePartitions,
  finishDefaultMove,
  isDefaultMoving,
  selectDays,
} from './retention-sql.ts'

const CHUNK = 20_000
const FIRST_KEY: DefaultKey = {
  tenantId: '00000000-0000-0000-0000-000000000000',
  metricId: '00000000-0000-0000-0000-000000000000',
  ts: '-infinity',
}

/** Rows of the default partition are counted to this, for a log line or a gauge. */
export const COUNTED_ROWS = 100_000

/**
 * Makes the days from `from` to `to` that are missing, and takes what the default partition holds of them along: at
 * once where that is quick, otherwise by a copy in short steps that hold nobody up.
 */
export async function makeDays(
  run: RetentionRun,
  from: number,
  to: number,
): Promise<{ daysMade: number; daysMissing: number }> {
  const { db } = run
  const before = await countMissing(db, from, to)
  const rows = await countDefault(db, COUNTED_ROWS)
  if (rows > 0) warnOfDefault(rows)
  const ensure = () => despiteLocks(() => ensurePartitions(db, from, to), run.pausesMs)
  await ensure()
  if ((rows > 0 && (await countMissing(db, from, to)) > 0) || (await isDefaultMoving(db))) {
    await moveDefault(run, from, to)
    await ensure()
  }
  const daysMissing = await countMissing(db, from, to)
  return { daysMade: before - daysMissing, daysMissing }
}

function warnOfDefault(rows: number): void {
  const more = rows === COUNTED_ROWS ? { message: 'at least so many' } : {}
  log('warn', 'default_filled', { rows, ...more })
}

async function countMissing(db: Database, from: number, to: number): Promise<number> {
  const there = (await selectDays(db)).filter((day) => day >= from && day <= to)
  return Math.floor((to - from) / DAY_MS) + 1 - there.length
}

/** Every step can be repeated: a run that was killed begins its copy again, and two runs make the same one. */
async function moveDefault(
  { db, stopped, onChunk, pausesMs }: RetentionRun,
  from: number,
  to: number,
): Promise<void> {
  const move = await despiteLocks(() => beginDefaultMove(db, from, to), pausesMs)
  if (move === undefined) return
  for (let after: DefaultKey | undefined = FIRST_KEY; after !== undefined; ) {
    if (stopped()) return
    const behind: DefaultKey = after
    const copy = await despiteLocks(
      () => unlessDropped(() => copyDefault(db, behind, CHUNK), undefined),
      pausesMs,
    )
    if (copy === undefined) return
    onChunk()
    after = copy.last
  }
  const finished = await despiteLocks(() => finishDefaultMove(db, move), pausesMs)
  if (finished === true) log('info', 'default_emptied')
  if (finished === undefined) log('warn', 'default_in_use')
}

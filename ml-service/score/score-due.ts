import type pg from 'pg'
import { become, inTransaction, isConflict, isUnreachable, OPERATOR, scopedDatabase } from '../database.ts'
import { log, messageOf } from '../log.ts'
import type { Series } from '../metric-lookup.ts'
import type { ArtefactStore } from '../train/artefact-store.ts'
import { type ScoreSummary, scoreSeries } from './score-series.ts'
import { claimDueMetric, countDue, type MetricKey, nameMetric } from './scores-sql.ts'

export interface ScoreDueDeps {
  pool: pg.Pool
  store: ArtefactStore
  /** Milliseconds since the epoch. */
  now: () => number
  /** Metrics to leave alone for now; one whose scoring fails is added. */
  except: Set<string>
  onScored: (series: Series, summary: ScoreSummary) => void
}

/**
 * Scores due metrics that nobody else holds, one transaction each, until none is left or `stopped` says so.
 * A metric that fails is logged, keeps its due row and joins `except`. Throws when Postgres is away.
 */
export async function scoreDue(deps: ScoreDueDeps, stopped: () => boolean = () => false): Promise<void> {
  while (!stopped() && (await scoreNextDue(deps)));
}

/** How many metrics are due but held by others (or arrived just now). */
export async function dueElsewhere({ pool, except }: ScoreDueDeps): Promise<number> {
  const { count } = await countDue(scopedDatabase(pool, OPERATOR), [...except])
  return count
}

async function scoreNextDue({ pool, store, now, except, onScored }: ScoreDueDeps): Promise<boolean> {
  let claimed: MetricKey | undefined
  try {
    const done = await inTransaction(pool, OPERATOR, async (db) => {
      claimed = await claimDueMetric(db, [...except])
      if (claimed === undefined) return undefined
      await become(db, claimed)
      const series = await nameMetric(db, claimed)
      return { series, ...(await scoreSeries(db, { store, now: now() }, series)) }
    })
    if (done === undefined) return false
    await done.cleanUp()
    onScored(done.series, done.summary)
    logScored(done.series, done.summary)
  } catch (error) {
    if (claimed === undefined || isUnreachable(error)) throw error
    const about = { tenant_id: claimed.tenantId, metric_id: claimed.metricId, error: messageOf(error) }
    if (isConflict(error)) {
      log('warn', 'scoring gave way to another transaction and is done again', about)
      return true
    }
    except.add(claimed.metricId)
    log('error', 'scoring failed', about)
  }
  return true
}

export function logScored({ tenantId, metricId }: Series, summary: ScoreSummary): void {
  log('info', 'scored', { tenant_id: tenantId, metric_id: metricId, ...summary })
}

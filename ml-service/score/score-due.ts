import type pg from 'pg'
import { logAlerts } from '../alerts/log-alerts.ts'
import {
  become,
  inTransaction,
  isConflict,
  isUnmigrated,
  isUnreachable,
  OPERATOR,
  scopedDatabase,
} from '../database.ts'
import { log, messageOf } from '../log.ts'
import { MetricError } from '../metric-error.ts'
import type { ArtefactStore } from '../train/artefact-store.ts'
import { claimDue, countDue, type MetricKey, nameMetrics } from './due-sql.ts'
import { type ChunkResult, type ScoreSummary, scoreChunk } from './score-chunk.ts'

/** One computes while another waits for Postgres. */
const AT_ONCE = 2
/** Metrics of one transaction: more hold more memory and save Postgres little. */
const CHUNK_METRICS = 32
/** In a row: more are no accident. */
const MAX_CONFLICTS = 10

export interface ScoreDueDeps {
  pool: pg.Pool
  store: ArtefactStore
  /** Milliseconds since the epoch. */
  now: () => number
  /** Metrics to leave alone for now; one whose scoring fails is added. */
  except: Set<string>
  /** Called after the commit; a metric with a long past is scored in several. */
  onScored: (summary: ScoreSummary, finished: boolean) => void
  /** Called after each chunk, with its time from claim to commit. */
  onChunk?: (tookMs: number) => void
}

/**
 * Scores due metrics that nobody else holds, a chunk of one tenant's in a transaction, until none is left or
 * `stopped` says so; the chunk at hand is finished. A metric that fails is logged, keeps its due row and joins
 * `except`. Throws when Postgres is away or was not migrated.
 */
export async function scoreDue(deps: ScoreDueDeps, stopped: () => boolean = () => false): Promise<void> {
  const results = await Promise.allSettled(Array.from({ length: AT_ONCE }, () => drain(deps, stopped)))
  for (const result of results) if (result.status === 'rejected') throw result.reason
}

/** How many metrics are due but held by others (or arrived just now). */
export async function dueElsewhere({ pool, except }: ScoreDueDeps): Promise<number> {
  const { count } = await countDue(scopedDatabase(pool, OPERATOR), [...except])
  return count
}

async function drain(deps: ScoreDueDeps, stopped: () => boolean): Promise<void> {
  let limit = CHUNK_METRICS
  for (let conflicts = 0; !stopped(); ) {
    let claimed: MetricKey[] = []
    const started = deps.now()
    try {
      const result = await inTransaction(deps.pool, OPERATOR, async (db) => {
        claimed = await claimDue(db, [...deps.except], limit)
        const [first] = claimed
        if (first === undefined) return undefined
        await become(db, first)
        const ids = claimed.map(({ metricId }) => metricId)
        const series = await nameMetrics(db, first.tenantId, ids)
        return scoreChunk(db, { store: deps.store, now: deps.now() }, series, { oneRound: true })
      })
      if (result === undefined) return
      const tookMs = deps.now() - started
      await result.cleanUp()
      report(deps, result, tookMs)
      limit = Math.min(CHUNK_METRICS, 2 * limit)
      conflicts = 0
    } catch (error) {
      if (isUnreachable(error) || isUnmigrated(error)) throw error
      if (isConflict(error) && conflicts < MAX_CONFLICTS) {
        conflicts += 1
        const about = { ...aboutOf(claimed), error: messageOf(error) }
        log('warn', 'scoring_repeated', about)
      }
      // A failure that names no metric is narrowed down.
      else if (!blame(deps, claimed, error)) limit = Math.floor(claimed.length / 2)
    }
  }
}

const aboutOf = ([first]: MetricKey[]) => (first === undefined ? {} : { tenant_id: first.tenantId })

/** Whether it is clear which metric failed. */
function blame(deps: ScoreDueDeps, claimed: MetricKey[], error: unknown): boolean {
  const [first] = claimed
  if (first === undefined) throw error
  if (error instanceof MetricError) fail(deps, error)
  else if (claimed.length === 1) fail(deps, new MetricError(first, error))
  else return false
  return true
}

/** Two may find the same one out: what fails is free again before `except` holds it. */
function fail({ except }: ScoreDueDeps, error: MetricError): void {
  if (except.has(error.metricId)) return
  except.add(error.metricId)
  log('error', 'scoring_failed', {
    tenant_id: error.tenantId,
    metric_id: error.metricId,
    error: messageOf(error),
  })
}

function report(deps: ScoreDueDeps, { metrics, failures, alerts }: ChunkResult, tookMs: number): void {
  deps.onChunk?.(tookMs)
  for (const failure of failures) fail(deps, failure)
  logAlerts(alerts)
  const total = { metrics: metrics.length, scored: 0, rescored: 0, anomalous: 0, opened: 0, resolved: 0 }
  for (const { summary, finished } of metrics) {
    addTo(total, summary)
    deps.onScored(summary, finished)
  }
  const tenantId = metrics[0]?.series.tenantId
  if (!process.stderr.isTTY)
    log('info', 'scored', { ...(tenantId && { tenant_id: tenantId }), ...total, duration_ms: tookMs })
}

export function addTo(total: ScoreSummary, summary: ScoreSummary): void {
  total.scored += summary.scored
  total.rescored += summary.rescored
  total.anomalous += summary.anomalous
  total.opened += summary.opened
  total.resolved += summary.resolved
}

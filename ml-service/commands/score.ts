import { logAlerts } from '../alerts/log-alerts.ts'
import { watchGaps } from '../alerts/watch-gaps.ts'
import { inTransaction, OPERATOR, scopedDatabase } from '../database.ts'
import { log } from '../log.ts'
import { findSeries, findTenant } from '../metric-lookup.ts'
import { progress } from '../progress.ts'
import { countDue } from '../score/due-sql.ts'
import type { ScoreSummary } from '../score/score-chunk.ts'
import { addTo, dueElsewhere, type ScoreDueDeps, scoreDue } from '../score/score-due.ts'
import { scoreSeries } from '../score/score-series.ts'
import { pause } from '../serve/loop.ts'
import { stopSignal } from '../serve/stop-signal.ts'
import { watchDevices } from '../silence/watch-devices.ts'
import { openArtefactStore } from '../train/artefact-store.ts'
import { UsageError } from '../usage-error.ts'
import { type Command, type CommandContext, rangeOptions, required } from './command.ts'

/** How often to look again for work that another process holds. */
const POLL_MS = 200

/** Scores one metric, or everything that is due. */
export const score: Command = async (context, options) => {
  if (options['all'] === true) {
    for (const name of ['tenant', 'metric', 'from', 'to']) {
      if (options[name] !== undefined) throw new UsageError(`--${name} goes with one metric, not with --all.`)
    }
    return scoreAll(context)
  }
  if (options['metric'] === undefined) throw new UsageError('Give --tenant and --metric, or --all.')
  const { environment, pool, now, print } = context
  const store = openArtefactStore(environment.modelDir())
  const range = rangeOptions(options)
  const within = options['from'] === undefined && options['to'] === undefined ? undefined : range
  const tenantId = await findTenant(pool, required(options, 'tenant'))
  const series = await findSeries(pool, tenantId, required(options, 'metric'))
  const { summary, alerts, cleanUp } = await inTransaction(pool, series, (db) =>
    scoreSeries(db, { store, now: now() }, series, within),
  )
  await cleanUp()
  logAlerts(alerts)
  log('info', 'scored', { tenant_id: tenantId, metric_id: series.metricId, ...summary })
  print(lineOf(`${series.device}/${series.metric}`, summary))
  return 0
}

/**
 * Drains the due work, and waits for what others hold: a process that dies gives its metrics back. Told to stop,
 * it finishes the chunks at hand.
 */
async function scoreAll({ environment, pool, now, print }: CommandContext): Promise<number> {
  const store = openArtefactStore(environment.modelDir())
  const stopped = stopSignal()
  const total: ScoreSummary = { scored: 0, rescored: 0, anomalous: 0, opened: 0, resolved: 0 }
  const { count } = await countDue(scopedDatabase(pool, OPERATOR), [])
  const bar = progress('scored', count)
  let metrics = 0
  const deps: ScoreDueDeps = {
    pool,
    store,
    now,
    except: new Set(),
    onScored: (summary, finished) => {
      addTo(total, summary)
      if (!finished) return
      metrics += 1
      bar.step()
    },
  }
  while (!stopped.aborted) {
    await scoreDue(deps, () => stopped.aborted)
    if ((await dueElsewhere(deps)) === 0) break
    await pause(POLL_MS, stopped)
  }
  await watchGaps(pool, now())
  await watchDevices(pool, now())
  bar.end()
  print(lineOf(`${metrics} metrics`, total))
  return deps.except.size === 0 ? 0 : 1
}

const lineOf = (what: string, { scored, rescored, anomalous, opened, resolved }: ScoreSummary) =>
  `${what}: ${scored} windows scored, ${rescored} changed, ${anomalous} anomalous in the walk, ` +
  `${opened} alerts opened, ${resolved} resolved`

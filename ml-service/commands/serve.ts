import { collectDefaultMetrics, Registry } from 'prom-client'
import { DAY_MS } from '../../telemetry/retention-periods.ts'
import { cryptoRandom } from '../../telemetry/trace.ts'
import { watchGaps } from '../alerts/watch-gaps.ts'
import { OPERATOR, scopedDatabase } from '../database.ts'
import { log } from '../log.ts'
import { applyRetention } from '../retention/apply-retention.ts'
import { COUNTED_ROWS } from '../retention/empty-default.ts'
import { countDefault, selectDays } from '../retention/retention-sql.ts'
import { countDue } from '../score/due-sql.ts'
import { type ScoreDueDeps, scoreDue } from '../score/score-due.ts'
import { loop } from '../serve/loop.ts'
import { Outage } from '../serve/outage.ts'
import { type Backlog, type ServiceMetrics, serviceMetrics } from '../serve/service-metrics.ts'
import { sleep } from '../serve/sleep.ts'
import { startStatusServer } from '../serve/status-server.ts'
import { stopSignal } from '../serve/stop-signal.ts'
import { watchDevices } from '../silence/watch-devices.ts'
import { openArtefactStore } from '../train/artefact-store.ts'
import { UsageError } from '../usage-error.ts'
import { deliverDue } from '../webhooks/deliver-due.ts'
import { oldestDueDeliverySeconds } from '../webhooks/deliveries-sql.ts'
import { webhookPoster } from '../webhooks/webhook-poster.ts'
import { type Command, type CommandContext, type Options, optional } from './command.ts'

const POLL_MS = 1000
const RETENTION_POLL_MS = 60_000
const RETENTION_AFTER_MIDNIGHT_MS = 10 * 60_000
/** When days were in use all the time. */
const RETENTION_AGAIN_MS = 3_600_000
/** How often open alerts are looked at for a gap in their data. */
const GAPS_MS = 60_000
/** How often devices are judged by the silence rules. */
const DEVICES_MS = 10_000
/** How often it tells its backlog in a line of the log, which infra/ makes metrics of. */
const BACKLOG_MS = 60_000

/**
 * The service: scores and delivers what becomes due, drops daily what is past its retention, and answers on
 * PORT, until SIGTERM or SIGINT; the piece at hand is finished. Metrics whose scoring failed get another
 * chance every `--every` seconds.
 */
export const serve: Command = async (context, options) => {
  const everyMs = everyOption(options)
  const { environment, pool } = context
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const metrics = serviceMetrics(registry)
  const outage = new Outage()
  const signal = stopSignal()
  const score = scoringPiece(context, everyMs, metrics, signal)
  const delivering = deliveringPiece(context, metrics, signal)
  const status = await startStatusServer(environment.port, {
    health: () => ({ status: 'ok', database: outage.away ? 'down' : 'up' }),
    metrics: async () => metrics.text(await backlogOf(context).catch(() => undefined)),
  })
  log('info', 'serving', { port: status.port })
  await Promise.all([
    loop({ name: 'scoring', pauseMs: POLL_MS, piece: score }, outage, signal),
    loop({ name: 'delivering', pauseMs: POLL_MS, piece: delivering.piece }, outage, signal),
    loop(
      { name: 'watching gaps', pauseMs: GAPS_MS, piece: () => lookForGaps(context, signal) },
      outage,
      signal,
    ),
    loop(
      { name: 'watching devices', pauseMs: DEVICES_MS, piece: () => lookForSilence(context, signal) },
      outage,
      signal,
    ),
    loop(
      { name: 'retention', pauseMs: RETENTION_POLL_MS, piece: retentionPiece(context, signal) },
      outage,
      signal,
    ),
    loop({ name: 'backlog', pauseMs: BACKLOG_MS, piece: backlogPiece(context, metrics) }, outage, signal),
  ])
  await status.stop()
  await delivering.close()
  log('info', 'stopped', { connections: pool.totalCount })
  return 0
}

function scoringPiece(
  { environment, pool, now }: CommandContext,
  everyMs: number,
  metrics: ServiceMetrics,
  signal: AbortSignal,
): () => Promise<void> {
  const deps: ScoreDueDeps = {
    pool,
    store: openArtefactStore(environment.modelDir()),
    now,
    except: new Set(),
    onScored: ({ scored }) => metrics.onScored(scored),
    onChunk: metrics.onChunk,
  }
  let retryAt = now() + everyMs
  return async () => {
    if (now() >= retryAt) {
      deps.except.clear()
      retryAt = now() + everyMs
    }
    const before = deps.except.size
    await scoreDue(deps, () => signal.aborted)
    metrics.onScoringFailures(deps.except.size - before)
  }
}

function deliveringPiece(
  { environment, pool, now }: CommandContext,
  metrics: ServiceMetrics,
  signal: AbortSignal,
) {
  const webhookSecretKeys = environment.webhookSecretKeys()
  const { logSampleRate } = environment
  const { post, close } = webhookPoster(environment.webhookAllowPrivate)
  return {
    piece: async () => {
      const chance = { random: Math.random, randomBytes: cryptoRandom }
      const deps = { pool, now, sleep, ...chance, webhookSecretKeys, logSampleRate, post }
      await deliverDue(deps, () => signal.aborted, metrics.onAttempt)
    },
    close,
  }
}

async function lookForGaps({ pool, now }: CommandContext, signal: AbortSignal): Promise<void> {
  await watchGaps(pool, now(), () => signal.aborted)
}

async function lookForSilence({ pool, now }: CommandContext, signal: AbortSignal): Promise<void> {
  await watchDevices(pool, now(), () => signal.aborted)
}

/** Once at the start, then soon after every midnight UTC: what a day has just left behind goes with it as a whole. */
function retentionPiece({ pool, now }: CommandContext, signal: AbortSignal): () => Promise<void> {
  let dueAt = Number.NEGATIVE_INFINITY
  return async () => {
    const started = now()
    if (started < dueAt) return
    const { deleted, ...days } = await applyRetention(pool, started, { stopped: () => signal.aborted })
    log('info', 'retention_applied', {
      ...{
        deleted,
        days_made: days.daysMade,
        days_emptied: days.daysEmptied,
        days_dropped: days.daysDropped,
      },
      ...{ days_postponed: days.daysPostponed, days_missing: days.daysMissing },
    })
    const tomorrow = (Math.floor(started / DAY_MS) + 1) * DAY_MS + RETENTION_AFTER_MIDNIGHT_MS
    dueAt = days.daysPostponed + days.daysMissing > 0 ? started + RETENTION_AGAIN_MS : tomorrow
  }
}

async function backlogOf({ pool, now }: CommandContext): Promise<Backlog> {
  const db = scopedDatabase(pool, OPERATOR)
  const { oldestSeconds } = await countDue(db, [])
  const newestDay = (await selectDays(db)).at(-1) ?? 0
  return {
    scoringSeconds: oldestSeconds,
    deliverySeconds: await oldestDueDeliverySeconds(db, now()),
    defaultRows: await countDefault(db, COUNTED_ROWS),
    daysAhead: Math.max(0, Math.floor((newestDay + DAY_MS - now()) / DAY_MS)),
  }
}

function backlogPiece(context: CommandContext, metrics: ServiceMetrics): () => Promise<void> {
  let told = 0
  return async () => {
    const { scoringSeconds, deliverySeconds, defaultRows, daysAhead } = await backlogOf(context)
    const failed = await metrics.deliveriesFailed()
    const ages = { scoring_seconds: scoringSeconds, delivery_seconds: deliverySeconds }
    const partitions = { default_partition_rows: defaultRows, partition_days_ahead: daysAhead }
    log('info', 'backlog', { ...ages, deliveries_failed: failed - told, ...partitions })
    told = failed
  }
}

/** `--every` in milliseconds; 300 s unless given. */
function everyOption(options: Options): number {
  const seconds = Number(optional(options, 'every') ?? '300')
  if (!Number.isFinite(seconds) || seconds < 1 || seconds > 86_400) {
    throw new UsageError('--every must be a number of seconds from 1 to 86400.')
  }
  return seconds * 1000
}

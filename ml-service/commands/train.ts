import { inTransaction } from '../database.ts'
import { log, messageOf } from '../log.ts'
import { findSeries, findTenant, listSeries, type Series } from '../metric-lookup.ts'
import { progress } from '../progress.ts'
import { openArtefactStore } from '../train/artefact-store.ts'
import { removeArtefacts } from '../train/recorded-artefacts.ts'
import { type TrainResult, trainSeries } from '../train/train-series.ts'
import { UsageError } from '../usage-error.ts'
import { type Command, type CommandContext, optional, required, timeOption } from './command.ts'

/** Fits the baseline of one metric, or of every metric with enough history. */
export const train: Command = async (context, options) => {
  const { environment, pool } = context
  const store = openArtefactStore(environment.modelDir())
  const until = timeOption(options, 'until')
  if (options['all'] === true) {
    if (options['metric'] !== undefined) throw new UsageError('Give either --all or --metric, not both.')
    if (until !== undefined) throw new UsageError('--until goes with --metric, not with --all.')
    const tenant = optional(options, 'tenant')
    const tenantId = tenant === undefined ? undefined : await findTenant(pool, tenant)
    return trainAll(context, await listSeries(pool, tenantId))
  }
  if (options['metric'] === undefined) throw new UsageError('Give --tenant and --metric, or --all.')
  const tenantId = await findTenant(pool, required(options, 'tenant'))
  const series = await findSeries(pool, tenantId, required(options, 'metric'))
  const result = await inTransaction(pool, series, (db) => trainSeries(db, store, series, until))
  await removeArtefacts(store, result.obsolete)
  context.print(lineOf(series, result, context.now()))
  return 0
}

/** One metric that fails does not stop the others. */
async function trainAll({ environment, pool, print }: CommandContext, all: Series[]): Promise<number> {
  const store = openArtefactStore(environment.modelDir())
  const bar = progress('trained', all.length)
  let failed = 0
  let models = 0
  for (const series of all) {
    try {
      const { model, obsolete } = await inTransaction(pool, series, (db) => trainSeries(db, store, series))
      await removeArtefacts(store, obsolete)
      if (model) models += 1
    } catch (error) {
      failed += 1
      const about = { tenant_id: series.tenantId, metric_id: series.metricId }
      log('error', 'training_failed', { ...about, error: messageOf(error) })
    }
    bar.step()
  }
  bar.end()
  print(
    `${all.length} metrics: ${models} trained, ${all.length - models - failed} still learning, ${failed} failed`,
  )
  return failed === 0 ? 0 : 1
}

function lineOf({ device, metric }: Series, { windows, readyAt, model }: TrainResult, now: number): string {
  if (model === undefined) {
    const isAhead = Number.isFinite(readyAt) && readyAt > now // else its data have stopped
    const ready = isAhead ? `, ready at about ${new Date(readyAt).toISOString()}` : ''
    return `${device}/${metric}: not enough history yet, ${windows} windows${ready}`
  }
  const until = new Date(model.trainedUntil).toISOString()
  return `${device}/${metric}: trained on ${windows} windows until ${until}, ${model.path}`
}

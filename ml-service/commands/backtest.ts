import { readFile } from 'node:fs/promises'
import { backtestJson, backtestLines } from '../backtest/backtest-lines.ts'
import { backtestSeries } from '../backtest/backtest-series.ts'
import { type LabelledSpan, labelledSpans } from '../backtest/labelled-spans.ts'
import { scopedDatabase } from '../database.ts'
import { findSeries, findTenant, type Series } from '../metric-lookup.ts'
import { UsageError } from '../usage-error.ts'
import { type Command, type Options, optional, required } from './command.ts'

const THRESHOLDS = [0.5, 0.75, 1, 1.25, 1.5, 2, 3, 5]

/** Prints how the model would have scored a metric's history, and what each threshold would have raised. */
export const backtest: Command = async ({ pool, print }, options) => {
  const format = optional(options, 'format') ?? 'table'
  if (format !== 'table' && format !== 'json') throw new UsageError('--format must be one of table, json.')
  const thresholds = thresholdOption(options)
  const tenantId = await findTenant(pool, required(options, 'tenant'))
  const series = await findSeries(pool, tenantId, required(options, 'metric'))
  const db = scopedDatabase(pool, series)
  const result = await backtestSeries(db, series, thresholds, await labelOption(options, series))
  if (format === 'table') for (const line of backtestLines(series, result)) print(line)
  else {
    const { device, metric, metricId } = series
    print(JSON.stringify({ metric_id: metricId, device, metric, ...backtestJson(result) }))
  }
  return 0
}

function thresholdOption(options: Options): number[] {
  const text = optional(options, 'threshold')
  if (text === undefined) return THRESHOLDS
  const threshold = Number(text)
  if (text.trim() === '' || !Number.isFinite(threshold) || threshold <= 0)
    throw new UsageError('--threshold must be a number above 0.')
  return [threshold]
}

async function labelOption(options: Options, series: Series): Promise<LabelledSpan[] | undefined> {
  const file = optional(options, 'labels')
  if (file === undefined) return undefined
  const text = await readFile(file, 'utf8').catch(() => {
    throw new UsageError(`--labels cannot be read: there is no file "${file}".`)
  })
  return labelledSpans(text, series)
}

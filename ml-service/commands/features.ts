import type { WindowFeatures } from '../../telemetry/window-features.ts'
import { type Database, scopedDatabase } from '../database.ts'
import { type FeatureFormat, featureLines } from '../features/feature-lines.ts'
import { windowsOfAggregates, windowsOfBoth, windowsOfDatapoints } from '../features/read-windows.ts'
import type { WindowRange } from '../features/windows-sql.ts'
import { findSeries, findTenant } from '../metric-lookup.ts'
import { UsageError } from '../usage-error.ts'
import { type Command, optional, rangeOptions, required } from './command.ts'

const SOURCES = ['auto', 'aggregates', 'datapoints'] as const
const FORMATS: readonly FeatureFormat[] = ['table', 'json', 'csv']

/** Prints the window features of one metric. */
export const features: Command = async ({ pool, now, print }, options) => {
  const source = choice(optional(options, 'source') ?? 'auto', SOURCES, 'source')
  const format = choice(optional(options, 'format') ?? 'table', FORMATS, 'format')
  const range = rangeOptions(options)
  const tenantId = await findTenant(pool, required(options, 'tenant'))
  const series = await findSeries(pool, tenantId, required(options, 'metric'))
  const windows = windowsOf(scopedDatabase(pool, series), { ...series, ...range }, source, now())
  for await (const line of featureLines(windows, format)) print(line)
  return 0
}

async function* windowsOf(
  db: Database,
  range: WindowRange,
  source: (typeof SOURCES)[number],
  now: number,
): AsyncGenerator<WindowFeatures> {
  if (source === 'datapoints') yield* windowsOfDatapoints(db, range, now)
  else if (source === 'auto') yield* windowsOfBoth(db, range, now)
  else for await (const { window } of windowsOfAggregates(db, range)) yield window
}

function choice<T extends string>(value: string, allowed: readonly T[], name: string): T {
  const found = allowed.find((candidate) => candidate === value)
  if (found === undefined) throw new UsageError(`--${name} must be one of ${allowed.join(', ')}.`)
  return found
}

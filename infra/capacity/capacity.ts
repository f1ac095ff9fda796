// `npm run capacity -- --devices N --rate R`: what a load takes and costs a month, and how near it is to each limit.
import { parseArgs } from 'node:util'
import * as v from 'valibot'
import { ALTERNATIVES } from './alternatives.ts'
import { costsOf, flowOf, type Load, limitsOf } from './capacity-model.ts'
import { PRICES } from './prices.ts'

const USAGE = `Usage: npm run capacity -- --devices N --rate R [options]
  --devices N      how many
  --rate R         datapoints a second of each metric
  --metrics N      metrics of a device (5)
  --batch N        datapoints that a gateway gathers into a batch (1000)
  --wire-bytes N   of a datapoint on the wire (8, gzip)
  --retention N    days (30)
  --log-rate N     share of successes that are logged, LOG_SAMPLE_RATE (1)
  --shards N       of the tenant; unset: as many as the batches need`

const positive = v.pipe(v.string(), v.nonEmpty(), v.transform(Number), v.finite(), v.gtValue(0))
const optionsSchema = v.object({
  devices: positive,
  rate: positive,
  metrics: v.optional(positive, '5'),
  batch: v.optional(positive, '1000'),
  'wire-bytes': v.optional(positive, '8'),
  retention: v.optional(positive, '30'),
  'log-rate': v.optional(v.pipe(positive, v.maxValue(1)), '1'),
  shards: v.optional(positive),
})

const number = (value: number) =>
  value.toLocaleString('en', { maximumFractionDigits: value < 10 ? 2 : 0, useGrouping: true })
const dollars = (value: number) =>
  `$${value.toLocaleString('en', { maximumFractionDigits: 2, minimumFractionDigits: 2 })}`
const row = (name: string, ...cells: string[]) =>
  console.log(name.padEnd(34), ...cells.map((cell) => cell.padStart(18)))

function loadOf(args: string[]): Load {
  const names = Object.keys(optionsSchema.entries)
  const options = Object.fromEntries(names.map((name) => [name, { type: 'string' as const }]))
  const parsed = v.safeParse(optionsSchema, parseArgs({ args, options }).values)
  if (!parsed.success) throw new Error(`--${v.getDotPath(parsed.issues[0])} must be a number above 0.`)
  const given = parsed.output
  const load = {
    ...{ devices: given.devices, metricsADevice: given.metrics, rate: given.rate, batch: given.batch },
    ...{ wireBytes: given['wire-bytes'], retentionDays: given.retention, shards: given.shards ?? 1 },
    logSampleRate: given['log-rate'],
  }
  if (given.shards !== undefined) return load
  const perShard = limitsOf(load).filter(({ limit }) => limit.endsWith('shard'))
  return { ...load, shards: Math.max(1, ...perShard.map(({ taken }) => Math.ceil(taken))) }
}

function show(load: Load): void {
  const flow = flowOf(load)
  console.log(
    `${number(flow.datapoints)} datapoints, ${number(flow.batches)} batches, ${number(flow.windows)} windows a second; ${load.shards} shards\n`,
  )
  const costs = costsOf(load)
  row('a month', 'quantity', 'cost')
  for (const { item, quantity, dollars: cost } of costs) row(PRICES[item].of, number(quantity), dollars(cost))
  const total = costs.reduce((sum, cost) => sum + cost.dollars, 0)
  row('together', '', dollars(total))
  for (const { name, dollars: costOf } of ALTERNATIVES) row(name, '', dollars(costOf(load)))
  console.log('\nof each limit')
  for (const { limit, taken } of limitsOf(load)) console.log(`${number(taken * 100).padStart(6)} %  ${limit}`)
}

try {
  show(loadOf(process.argv.slice(2)))
} catch (error) {
  console.error(`${error instanceof Error ? error.message : error}\n\n${USAGE}`)
  process.exitCode = 2
}
process.disconnect?.() // the channel to run.mjs would keep this process

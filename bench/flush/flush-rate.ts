// Datapoints/s through the consumer into `datapoints` ÷ by COPY of the same rows, and its growth. Prints a JSON object
// a line; `bench.ts` runs it in a process of its own.
import type pg from 'pg'
import { medianOf, rounded } from '../statistics.ts'
import { type ConsumerStack, startConsumerStack, withDatabase } from './consumer-stack.ts'
import { copyRows, createCopyTable, storedRows } from './copy-table.ts'
import { Sender, type Traffic } from './sender.ts'

const ROUNDS = 7
/** Until the compilers have done with the Worker's code, and every series is known. */
const WARM_UP_ROUNDS = 2
/** Datapoints of one queue batch: 50 batches of 1,000, or one of 50,000. */
const DELIVERY = 50_000
const DELIVERIES = 4
const DATAPOINTS = DELIVERIES * DELIVERY
const DAY_MS = 86_400_000
/** Longer than all rounds together: nothing is in the future. */
const SPAN_DAYS = 9

/** Batches of 10 series from one gateway and from 1,000, and the 10,000 series of these in every batch. */
const TRAFFIC = {
  few: { gateways: 1, series: 10, points: 100 },
  many: { gateways: 1000, series: 10, points: 100 },
  wide: { gateways: 1, series: 10_000, points: 5 },
} satisfies Record<string, Traffic>
type Side = keyof typeof TRAFFIC
const SIDES: Side[] = ['few', 'many', 'wide']

/** Datapoints/s. */
interface Rates {
  consumer: number
  copy: number
}

/** One round of one side: accepts batches unmeasured, then stores them, then copies what was stored. */
async function measureRound(stack: ConsumerStack, client: pg.Client, sender: Sender): Promise<Rates> {
  const { series, points } = sender.traffic
  const version = Date.now() * 1024 // as telemetry/batch-rows.ts counts
  const messages = await sender.send(DATAPOINTS / (series * points))
  const each = messages.length / DELIVERIES
  const consumer = await rateOf(async () => {
    for (let i = 0; i < DELIVERIES; i += 1) await stack.deliver(messages.slice(i * each, (i + 1) * each))
  })
  const rows = await storedRows(client, sender.tenantId, version)
  const copy = await rateOf(async () => {
    const copied = await copyRows(client, rows)
    if (copied !== DATAPOINTS) throw new Error(`The consumer stored ${copied} of ${DATAPOINTS} datapoints.`)
  })
  return { consumer, copy }
}

async function rateOf(work: () => Promise<void>): Promise<number> {
  const begun = performance.now()
  await work()
  return DATAPOINTS / ((performance.now() - begun) / 1000)
}

async function measure(stack: ConsumerStack, client: pg.Client) {
  const start = Date.now() - SPAN_DAYS * DAY_MS
  await client.query('select ensure_datapoint_partitions((now() - $1::interval)::date, now()::date)', [
    `${SPAN_DAYS + 1} days`,
  ])
  await createCopyTable(client)
  const senders = await Promise.all(SIDES.map((side) => Sender.create(stack, TRAFFIC[side], start)))
  const rounds: Record<Side, Rates>[] = []
  for (let round = 0; round < WARM_UP_ROUNDS + ROUNDS; round += 1) {
    const [few, many, wide] = [
      await measureRound(stack, client, senders[0]!),
      await measureRound(stack, client, senders[1]!),
      await measureRound(stack, client, senders[2]!),
    ]
    rounds.push({ few, many, wide })
  }
  return { rounds: rounds.slice(WARM_UP_ROUNDS), bytes: await bytesOnDisk(client) }
}

/** Bytes a row of either side, with its index. */
async function bytesOnDisk(client: pg.Client): Promise<Record<'stored' | 'copied', number>> {
  const { rows } = await client.query<Record<'stored' | 'copied', number>>(
    `select (select sum(pg_total_relation_size(relid)) from pg_partition_tree('datapoints') where isleaf)::float8
         / (select count(*) from datapoints) as stored,
       pg_total_relation_size('copied')::float8 / (select count(*) from copied) as copied`,
  )
  return rows[0]!
}

const tell = (line: object) => console.log(JSON.stringify(line))

const stack = await startConsumerStack()
const { rounds, bytes } = await withDatabase(stack.databaseUrl, (client) => measure(stack, client)).finally(
  stack.stop,
)
const ratesOf = (side: Side) => ({
  ratio: rounded(medianOf(rounds.map(({ [side]: { consumer, copy } }) => consumer / copy))),
  rows_per_second: Math.round(medianOf(rounds.map(({ [side]: { consumer } }) => consumer))),
  copy_rows_per_second: Math.round(medianOf(rounds.map(({ [side]: { copy } }) => copy))),
})
// Time is the reciprocal of the rate.
const growthTo = (side: Side) =>
  rounded(medianOf(rounds.map(({ few, [side]: of }) => few.consumer / of.consumer)))
tell({
  ...{ name: 'flush_rate', ...ratesOf('few') },
  ...{ bytes_per_datapoint: Math.round(bytes.stored), copy_bytes_per_datapoint: Math.round(bytes.copied) },
})
tell({ name: 'flush_rate_gateways', ...ratesOf('many') })
tell({ name: 'flush_rate_wide', ...ratesOf('wide') })
tell({ name: 'growth', of: 'flush_rate', ratio: growthTo('many'), series: 10_000 })
tell({ name: 'growth', of: 'flush_rate_wide', ratio: growthTo('wide'), series: 10_000 })
process.exit(0)

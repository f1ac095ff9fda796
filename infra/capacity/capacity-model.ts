import { COUNTERS } from './counters.ts'
import { type Item, PRICES } from './prices.ts'

/** What a tenant sends, all day. */
export interface Load {
  devices: number
  metricsADevice: number
  /** Datapoints a second of each metric. */
  rate: number
  /** Datapoints that a gateway gathers into one batch. */
  batch: number
  /** Of one datapoint on the wire, its share of the batch included. */
  wireBytes: number
  retentionDays: number
  shards: number
  /** LOG_SAMPLE_RATE. */
  logSampleRate: number
}

/** A second of it, everywhere. */
export interface Flow {
  datapoints: number
  batches: number
  windows: number
  flushes: number
  consumerCalls: number
}

const DAY_S = 86_400
export const MONTH_S = 30 * DAY_S
const MONTH_H = MONTH_S / 3600
const WINDOW_S = 300

/** wrangler.toml: FLUSH_INTERVAL_MS, and how many messages a consumer takes at once, waiting at most a second. */
const FLUSH_INTERVAL_S = 15
/** durable-objects/shard-work.ts */
const MEASURE_EVERY_S = 60
const MESSAGES_A_CALL = { batches: 50, flushes: 10 }
/** A flush holds about so many bytes, a window in it its numbers, its name and its values while these are few. */
const FLUSH_BYTES = 1_000_000
const windowBytesOf = (values: number) => 150 + 8 * Math.min(values, 512)
const OBJECT_GB = 0.128
/** A queue's message is written, read and deleted. */
const OPERATIONS_A_MESSAGE = 3
/** One task of `serve`: infra/ml-settings.ts, size medium. */
const SERVICE = { vcpus: 1, gb: 2 }
/** Postgres keeps up at 60 % of what it was measured to take; a CU has about one core. */
const POSTGRES_LOAD = 0.6
const LEAST_CU = 0.25
const CORES_MEASURED = 2

const callsOf = (messages: number, most: number) => Math.min(messages, Math.max(1, messages / most))

export function flowOf(load: Load): Flow {
  const series = load.devices * load.metricsADevice
  const datapoints = series * load.rate
  const windows = series * Math.min(load.rate, 1 / WINDOW_S)
  const chunks = (windows * windowBytesOf(load.rate * WINDOW_S)) / FLUSH_BYTES
  const flushes = Math.max(chunks, Math.min(windows, load.shards / FLUSH_INTERVAL_S))
  const batches = datapoints / load.batch
  const consumerCalls = callsOf(batches, MESSAGES_A_CALL.batches) + callsOf(flushes, MESSAGES_A_CALL.flushes)
  return { datapoints, batches, windows, flushes, consumerCalls }
}

/** How much of each thing a month of 30 days takes. */
export function quantitiesOf(load: Load): Record<Item, number> {
  const flow = flowOf(load)
  const month = (aSecond: number) => aSecond * MONTH_S
  const keptGb = (bytesASecond: number, days = load.retentionDays) => (bytesASecond * days * DAY_S) / 1e9
  const rowBytes = COUNTERS.windowBytes + COUNTERS.scoreBytes
  const edgeNs = flow.datapoints * COUNTERS.edgeNsADatapoint + flow.batches * COUNTERS.edgeNsABatch
  return {
    workersPlan: 1,
    requests: month(flow.batches + flow.consumerCalls),
    cpuMs: month(edgeNs / 1e6),
    logLines: month(2 * flow.batches * load.logSampleRate + flow.flushes),
    // A request, a call's transactions, a flush, a look at each outbox.
    measurements: month(flow.batches + flow.consumerCalls + flow.flushes + load.shards / MEASURE_EVERY_S),
    // admit; verdicts and acknowledgement; reading a flush and its acknowledgement; an alarm a flush.
    objectRequests: month(flow.batches + 2 * flow.consumerCalls * load.shards + 3 * flow.flushes),
    objectGbSeconds: month(load.shards * OBJECT_GB),
    rowsWritten: month(flow.batches * COUNTERS.rowsWrittenABatch),
    objectGb: keptGb(flow.batches * COUNTERS.batchRowBytes, load.retentionDays + 1),
    queueOperations: month(OPERATIONS_A_MESSAGE * (flow.batches + flow.flushes)),
    archiveWrites: month(flow.batches),
    archiveReads: month(flow.batches),
    archiveGb: keptGb(flow.datapoints * load.wireBytes),
    postgresCuHours: postgresCu(flow) * MONTH_H,
    postgresGb: keptGb(flow.datapoints * COUNTERS.datapointBytes + flow.windows * rowBytes),
    fargateVcpuHours: tasksOf(flow) * SERVICE.vcpus * MONTH_H,
    fargateGbHours: tasksOf(flow) * SERVICE.gb * MONTH_H,
  }
}

const postgresCu = ({ datapoints }: Flow) =>
  Math.max(LEAST_CU, (datapoints / COUNTERS.datapointsPersistedASecond / POSTGRES_LOAD) * CORES_MEASURED)

const tasksOf = ({ windows }: Flow) => Math.max(1, Math.ceil(windows / COUNTERS.windowsScoredASecond))

export interface Cost {
  item: Item
  quantity: number
  dollars: number
}

export function costsOf(load: Load): Cost[] {
  const quantities = quantitiesOf(load)
  return (Object.keys(PRICES) as Item[]).map((item) => {
    const { dollars, per, included } = PRICES[item]
    const quantity = quantities[item]
    return { item, quantity, dollars: (Math.max(0, quantity - included) / per) * dollars }
  })
}

/** How much of each limit the load takes; above 1 it does not hold. */
export function limitsOf(load: Load): { limit: string; taken: number }[] {
  const flow = flowOf(load)
  const { objectGb } = quantitiesOf(load)
  return [
    { limit: '200 batches a second and shard', taken: flow.batches / load.shards / 200 },
    { limit: '10 GB of remembered batches a shard', taken: objectGb / load.shards / 10 },
    { limit: '5,000 messages a second and queue', taken: flow.batches / 5_000 },
    {
      limit: `${COUNTERS.datapointsPersistedASecond.toLocaleString('en')} datapoints a second into one Postgres of two cores`,
      taken: flow.datapoints / COUNTERS.datapointsPersistedASecond,
    },
    {
      limit: `${COUNTERS.windowsScoredASecond.toLocaleString('en')} windows a second scored by one task`,
      taken: flow.windows / COUNTERS.windowsScoredASecond,
    },
  ]
}

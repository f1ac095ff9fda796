// CPU of one ingest's pure functions ÷ CPU of JSON.parse on the same text, and its growth. Prints a JSON object
// a line; `bench.ts` runs it in a process of its own.
import { gunzipSync, gzipSync } from 'node:zlib'
import { type BatchPlan, batchText } from '../batches.ts'
import { medianOf } from '../statistics.ts'
import { dropWindows, ingestOnce, newShard } from './ingest-once.ts'

const ROUNDS = 11
/** Until the compilers have done with both sides: their threads' CPU would count too. */
const WARM_UP_ROUNDS = 6
/** CPU that one side takes in one round, about. */
const ROUND_US = 60_000
/** Datapoints in the bodies that one cycle goes through: one after the other in time, as a gateway sends them. */
const CYCLE_DATAPOINTS = 12_000
/** Longer than any cycle: nothing is in the future. */
const SPAN_MS = 86_400_000

interface Row {
  name: string
  plan: BatchPlan
  gzip?: boolean
}

const plan = (shape: BatchPlan['shape'], series: number, points: number): BatchPlan => ({
  ...{ shape, series, points },
})

const ROWS: Row[] = [
  { name: 'edge_cpu', plan: plan('series', 10, 100) },
  { name: 'edge_cpu_10', plan: plan('series', 1, 10) },
  { name: 'edge_cpu_50000', plan: plan('series', 500, 100) },
  { name: 'edge_cpu_gzip', plan: plan('series', 10, 100), gzip: true },
  { name: 'edge_cpu_datapoints', plan: plan('datapoints', 10, 100) },
  { name: 'edge_cpu_datapoints_10', plan: plan('datapoints', 1, 10) },
  { name: 'edge_cpu_datapoints_50000', plan: plan('datapoints', 500, 100) },
  { name: 'edge_cpu_datapoints_iso', plan: plan('datapoints-iso', 10, 100) },
]

/** CPU µs, user and system, all threads of this process: collecting garbage counts for whoever made it. */
function cpuOf(work: () => void): number {
  const before = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(before)
  return user + system
}

/** One side of a comparison: `cycle` handles `datapoints`; what `after` does is not measured. */
interface Side {
  cycle(): void
  after?(): void
  datapoints: number
}

/** CPU ns a datapoint, in one round. */
function round(side: Side): number {
  let [us, cycles] = [0, 0]
  for (; us < ROUND_US; cycles += 1) {
    us += cpuOf(side.cycle)
    side.after?.()
  }
  return (us * 1000) / (cycles * side.datapoints)
}

/** Figures of both sides for each round, the sides by turns. */
function rounds(a: Side, b: Side): [number, number][] {
  const length = WARM_UP_ROUNDS + ROUNDS
  const figures = Array.from({ length }, (): [number, number] => [round(a), round(b)])
  return figures.slice(WARM_UP_ROUNDS)
}

function sidesOf({ plan, gzip = false }: Row): { edge: Side; parse: Side } {
  const datapoints = plan.series * plan.points
  const bodies = Math.max(2, Math.floor(CYCLE_DATAPOINTS / datapoints))
  const now = Date.now()
  const texts = Array.from({ length: bodies }, (_, i) =>
    batchText(plan, now - SPAN_MS + i * plan.points * 1000),
  )
  const wires = texts.map((text) => (gzip ? gzipSync(text) : new TextEncoder().encode(text)))
  const shard = newShard()
  return {
    edge: {
      datapoints: bodies * datapoints,
      cycle: () => {
        for (const wire of wires) ingestOnce(shard, gzip ? gunzipSync(wire) : wire, now)
      },
      after: () => dropWindows(shard),
    },
    parse: {
      datapoints: bodies * datapoints,
      cycle: () => {
        for (const text of texts) sink = JSON.parse(text)
      },
    },
  }
}

/** Keeps results alive, so that nothing is optimized away. */
export let sink: unknown

const tell = (line: object) => console.log(JSON.stringify(line))
const rounded = (value: number) => Math.round(value * 1000) / 1000

for (const row of ROWS) {
  const { edge, parse } = sidesOf(row)
  const figures = rounds(edge, parse)
  tell({
    name: row.name,
    ratio: rounded(medianOf(figures.map(([ours, theirs]) => ours / theirs))),
    ns_per_datapoint: Math.round(medianOf(figures.map(([ours]) => ours))),
    parse_ns_per_datapoint: Math.round(medianOf(figures.map(([, theirs]) => theirs))),
  })
}

// A batch with 100 times the series, of as many datapoints each: 500 and 50,000 datapoints.
const few = sidesOf({ name: 'growth', plan: plan('series', 10, 50) })
const many = sidesOf({ name: 'growth', plan: plan('series', 1000, 50) })
const figures = rounds(many.edge, few.edge)
const parsing = rounds(many.parse, few.parse)
const growthOf = (pairs: [number, number][]) => rounded(medianOf(pairs.map(([a, b]) => a / b)))
tell({ name: 'growth', of: 'edge_cpu', ratio: growthOf(figures), parse_growth: growthOf(parsing) })

// CPU of one ingest's pure functions ÷ CPU of JSON.parse on the same text, and its growth. Prints a JSON object
// a line; `bench.ts` runs it in a process of its own.
import { gunzipSync, gzipSync } from 'node:zlib'
import type { BatchPlan } from '../batches.ts'
import { medianOf, rounded } from '../statistics.ts'
import { bodiesOf, plan } from './bodies.ts'
import { cpuRounds, type Side } from './cpu-rounds.ts'
import { dropWindows, ingestOnce, newShard } from './ingest-once.ts'

interface Row {
  name: string
  plan: BatchPlan
  gzip?: boolean
}

const ROWS: Row[] = [
  { name: 'edge_cpu', plan: plan('series', 10, 100) },
  { name: 'edge_cpu_10', plan: plan('series', 1, 10) },
  { name: 'edge_cpu_50000', plan: plan('series', 500, 100) },
  { name: 'edge_cpu_gzip', plan: plan('series', 10, 100), gzip: true },
  { name: 'edge_cpu_unrounded', plan: plan('series-unrounded', 10, 100) },
  { name: 'edge_cpu_datapoints', plan: plan('datapoints', 10, 100) },
  { name: 'edge_cpu_datapoints_10', plan: plan('datapoints', 1, 10) },
  { name: 'edge_cpu_datapoints_50000', plan: plan('datapoints', 500, 100) },
  { name: 'edge_cpu_datapoints_iso', plan: plan('datapoints-iso', 10, 100) },
]

function sidesOf({ plan, gzip = false }: Omit<Row, 'name'>): { edge: Side; parse: Side } {
  const now = Date.now()
  const texts = bodiesOf(plan, now)
  const wires = texts.map((text) => (gzip ? gzipSync(text) : new TextEncoder().encode(text)))
  const shard = newShard()
  const datapoints = texts.length * plan.series * plan.points
  return {
    edge: {
      datapoints,
      cycle: () => {
        for (const wire of wires) ingestOnce(shard, gzip ? gunzipSync(wire) : wire, now)
      },
      after: () => dropWindows(shard),
    },
    parse: {
      datapoints,
      cycle: () => {
        for (const text of texts) sink = JSON.parse(text)
      },
    },
  }
}

/** Keeps results alive, so that nothing is optimized away. */
export let sink: unknown

const tell = (line: object) => console.log(JSON.stringify(line))
const medianRatio = (rounds: number[][], a: number, b: number) =>
  rounded(medianOf(rounds.map((figures) => figures[a]! / figures[b]!)))
const medianNs = (rounds: number[][], side: number) =>
  Math.round(medianOf(rounds.map((figures) => figures[side]!)))

for (const row of ROWS) {
  const { edge, parse } = sidesOf(row)
  const rounds = cpuRounds([edge, parse])
  tell({
    name: row.name,
    ratio: medianRatio(rounds, 0, 1),
    ns_per_datapoint: medianNs(rounds, 0),
    parse_ns_per_datapoint: medianNs(rounds, 1),
  })
}

// A batch with 100 times the series, of as many datapoints each: 500 and 50,000 datapoints.
const few = sidesOf({ plan: plan('series', 10, 50) })
const many = sidesOf({ plan: plan('series', 1000, 50) })
const rounds = cpuRounds([many.edge, few.edge, many.parse, few.parse])
tell({
  ...{ name: 'growth', of: 'edge_cpu', ratio: medianRatio(rounds, 0, 1) },
  parse_growth: medianRatio(rounds, 2, 3),
})

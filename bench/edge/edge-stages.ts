// Where the CPU of an ingest goes: each stage's share, as CPU of JSON.parse on the same text. The differences of
// runs that end a stage later each, so that a stage pays for the garbage it leaves. Prints a JSON object a line;
// `bench.ts` runs it in a process of its own.
import { medianOf, rounded } from '../statistics.ts'
import { bodiesOf, plan } from './bodies.ts'
import { cpuRounds, type Side } from './cpu-rounds.ts'
import { dropWindows, ingestOnce, newShard, STAGES, type Stage } from './ingest-once.ts'

const [SERIES, POINTS] = [10, 100]

/** Keeps results alive, so that nothing is optimized away. */
export let sink: unknown

function sideOf(
  texts: string[],
  handle: (wire: Uint8Array, text: string) => unknown,
  after?: () => void,
): Side {
  const wires = texts.map((text) => new TextEncoder().encode(text))
  const cycle = () => {
    for (let i = 0; i < texts.length; i += 1) sink = handle(wires[i]!, texts[i]!)
  }
  return { cycle, datapoints: texts.length * SERIES * POINTS, ...(after && { after }) }
}

function sideUpTo(last: Stage, texts: string[], now: number): Side {
  const shard = newShard()
  // Its series are known, whether or not this side gets as far as to make them known.
  for (const text of texts) ingestOnce(shard, new TextEncoder().encode(text), now)
  return sideOf(
    texts,
    (wire) => ingestOnce(shard, wire, now, last),
    () => dropWindows(shard),
  )
}

for (const shape of ['series', 'datapoints'] as const) {
  const now = Date.now()
  const texts = bodiesOf(plan(shape, SERIES, POINTS), now)
  const parse = sideOf(texts, (_, text) => JSON.parse(text))
  const rounds = cpuRounds([parse, ...STAGES.map((stage) => sideUpTo(stage, texts, now))])
  STAGES.forEach((stage, i) => {
    const own = rounds.map((figures) => figures[i + 1]! - (i === 0 ? 0 : figures[i]!))
    console.log(
      JSON.stringify({
        ...{ name: 'edge_stages', of: `${shape} ${stage}` },
        ratio: rounded(medianOf(own.map((ns, k) => ns / rounds[k]![0]!))),
        ns_per_datapoint: rounded(medianOf(own)),
      }),
    )
  })
}

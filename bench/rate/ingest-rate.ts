// Datapoints/s accepted by `POST /v1/ingest` ÷ by a bare Worker in the same runtime, and its growth. Prints a JSON
// object a line; `bench.ts` runs it in a process of its own.
import { Pool } from 'undici'
import { batchText } from '../batches.ts'
import { medianOf } from '../statistics.ts'
import { type Server, startServers } from './servers.ts'

const ROUNDS = 9
const BATCHES = 300
const CONNECTIONS = 8
const [SERIES, POINTS] = [10, 100]
const DATAPOINTS = SERIES * POINTS
/** Gateways of the tenant with 100 times the series. */
const MANY = 100
/** Longer than all rounds together: nothing is in the future. */
const SPAN_MS = 10 * 86_400_000

/** Batches of `gateways` that send by turns, each going on in time where it stood. */
class Gateways {
  readonly #gateways: number
  readonly #start = Date.now() - SPAN_MS
  #sent = 0

  constructor(gateways: number) {
    this.#gateways = gateways
  }

  next(): string {
    const i = this.#sent
    this.#sent += 1
    const at = this.#start + Math.floor(i / this.#gateways) * POINTS * 1000
    const gateway = i % this.#gateways
    const plan = { shape: 'series' as const, series: SERIES, points: POINTS }
    return batchText({ ...plan, gateway, batchId: `gw${gateway}-${i}` }, at)
  }
}

/** Sends the batches over CONNECTIONS connections, each its next as soon as the last is answered; datapoints/s. */
async function rateOf({ url, headers }: Server, texts: string[]): Promise<number> {
  const { origin, pathname } = new URL(url)
  const pool = new Pool(origin, { connections: CONNECTIONS })
  const bodies = texts.map((text) => Buffer.from(text))
  let sent = 0
  const begun = performance.now()
  const connection = async () => {
    while (sent < bodies.length) {
      const body = bodies[sent]!
      sent += 1
      const answer = await pool.request({ path: pathname, method: 'POST', headers, body })
      const text = await answer.body.text()
      if (answer.statusCode !== 202) throw new Error(`${url} answered ${answer.statusCode}: ${text}`)
    }
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, connection))
  const seconds = (performance.now() - begun) / 1000
  await pool.close()
  return (texts.length * DATAPOINTS) / seconds
}

interface Figures {
  bare: number
  few: number
  many: number
}

async function measure(): Promise<Figures[]> {
  const servers = await startServers(2)
  try {
    const [fewServer, manyServer] = servers.edgepulse
    const [few, many] = [new Gateways(1), new Gateways(MANY)]
    const rounds: Figures[] = []
    // The first round warms up, and registers all series.
    for (let round = 0; round <= ROUNDS; round += 1) {
      const texts = Array.from({ length: BATCHES }, () => few.next())
      const others = Array.from({ length: BATCHES }, () => many.next())
      rounds.push({
        few: await rateOf(fewServer!, texts),
        bare: await rateOf(servers.bare, texts),
        many: await rateOf(manyServer!, others),
      })
    }
    return rounds.slice(1)
  } finally {
    await servers.stop()
  }
}

const tell = (line: object) => console.log(JSON.stringify(line))
const rounded = (value: number) => Math.round(value * 1000) / 1000

const figures = await measure()
tell({
  name: 'ingest_rate',
  ratio: rounded(medianOf(figures.map(({ few, bare }) => few / bare))),
  datapoints_per_second: Math.round(medianOf(figures.map(({ few }) => few))),
  bare_datapoints_per_second: Math.round(medianOf(figures.map(({ bare }) => bare))),
})
// Time is the reciprocal of the rate.
const growth = medianOf(figures.map(({ few, many }) => few / many))
tell({ name: 'growth', of: 'ingest_rate', ratio: rounded(growth) })
process.exit(0)

// Datapoints/s accepted by `POST /v1/ingest` ÷ by a bare Worker in the same runtime, and its growth. Prints a JSON
// object a line; `bench.ts` runs it in a process of its own.
import { Pool } from 'undici'
import { batchText } from '../batches.ts'
import { medianOf, rounded } from '../statistics.ts'
import { type Server, startServers } from './servers.ts'

const ROUNDS = 30
/** Until the compilers have done with the Worker's code. */
const WARM_UP_ROUNDS = 6
/** Of each side in one round: few, so that all see the same machine. */
const BATCHES = 100
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

/** One side: batches go to it over CONNECTIONS connections, each its next as soon as the last is answered. */
class Sender {
  readonly #path: string
  readonly #headers: Record<string, string>
  readonly #pool: Pool

  constructor({ url, headers }: Server) {
    const { origin, pathname } = new URL(url)
    this.#path = pathname
    this.#headers = headers
    this.#pool = new Pool(origin, { connections: CONNECTIONS })
  }

  /** Datapoints/s accepted while the batches are sent. */
  async rateOf(texts: string[]): Promise<number> {
    const bodies = texts.map((text) => Buffer.from(text)).values()
    const begun = performance.now()
    await Promise.all(Array.from({ length: CONNECTIONS }, () => this.#sendAll(bodies)))
    const seconds = (performance.now() - begun) / 1000
    return (texts.length * DATAPOINTS) / seconds
  }

  async #sendAll(bodies: Iterable<Buffer>): Promise<void> {
    for (const body of bodies) {
      const options = { path: this.#path, method: 'POST', headers: this.#headers, body } as const
      const answer = await this.#pool.request(options)
      const text = await answer.body.text()
      if (answer.statusCode !== 202) throw new Error(`${this.#path} answered ${answer.statusCode}: ${text}`)
    }
  }
}

interface Figures {
  bare: number
  few: number
  many: number
}

async function measure(): Promise<Figures[]> {
  const servers = await startServers(2)
  try {
    const bare = new Sender(servers.bare)
    const [toFew, toMany] = servers.edgepulse.map((server) => new Sender(server))
    const [few, many] = [new Gateways(1), new Gateways(MANY)]
    const rounds: Figures[] = []
    // All series are registered by the first round.
    for (let round = 0; round < WARM_UP_ROUNDS + ROUNDS; round += 1) {
      const texts = Array.from({ length: BATCHES }, () => few.next())
      const others = Array.from({ length: BATCHES }, () => many.next())
      rounds.push({
        few: await toFew!.rateOf(texts),
        bare: await bare.rateOf(texts),
        many: await toMany!.rateOf(others),
      })
    }
    return rounds.slice(WARM_UP_ROUNDS)
  } finally {
    await servers.stop()
  }
}

const tell = (line: object) => console.log(JSON.stringify(line))

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

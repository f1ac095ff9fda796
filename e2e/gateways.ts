import { setTimeout as sleep } from 'node:timers/promises'
import * as v from 'valibot'
import { expect } from 'vitest'
import type { DevFile } from '../local/dev-file.ts'
import type { Tenant } from './exactly-once.ts'

/** Of each of a batch's two series, a point a second. */
const POINTS = 60
const BATCH_MS = POINTS * 1000
const PACE_MS = 50
/** From here on a gateway's history is sent, which at this pace reaches the present after twelve minutes. */
const START_MS = Date.now() - 10 * 86_400_000
const ANSWER_WITHIN_MS = 15_000
const AGAIN_MS = 100

const Receipt = v.object({
  batch_id: v.string(),
  status: v.picklist(['accepted', 'duplicate']),
  datapoints: v.number(),
  rejected: v.number(),
})

/** What gateways were told. */
export class Ledger {
  /** Of each accepted batch what its answer counted. */
  readonly receipts = new Map<string, { datapoints: number; rejected: number }>()
  /** The sum of all accepted values. */
  values = 0
  /** Batches answered as duplicates: those heard, and with them those whose answer may have got lost. */
  readonly duplicates = { heard: 0, possible: 0 }
  /** Answers that a gateway cannot live with. */
  readonly wrong: string[] = []

  get accepted(): number {
    return [...this.receipts.values()].reduce((sum, { datapoints }) => sum + datapoints, 0)
  }

  get rejected(): number {
    return [...this.receipts.values()].reduce((sum, { rejected }) => sum + rejected, 0)
  }
}

export interface Gateways {
  ledger: Ledger
  /** Waits until another batch has been accepted. */
  moreAccepted(): Promise<void>
  /** Lets what is under way be answered, and ends. */
  stop(): Promise<Ledger>
}

/** Gateways that send batch after batch, each until it is answered for good, as `examples/gateway` does. */
export function startGateways({ url }: DevFile, { key }: Tenant, names: string[]): Gateways {
  const ledger = new Ledger()
  let stopped = false
  const sendAll = async (gateway: string) => {
    for (let n = 0; !stopped; n += 1) {
      await sendUntilTaken(ledger, url, key, batchOf(gateway, n))
      await sleep(PACE_MS)
    }
  }
  const sending = Promise.all(names.map(sendAll))
  return {
    ledger,
    moreAccepted: async () => {
      const before = ledger.receipts.size
      await expect.poll(() => ledger.receipts.size, { timeout: 60_000, interval: 20 }).toBeGreaterThan(before)
    },
    stop: async () => {
      stopped = true
      await sending
      return ledger
    },
  }
}

/** Whole numbers, whose sums are exact; of its datapoints two are rejected: one repeated, one without a value. */
function batchOf(gateway: string, n: number) {
  const values = Array.from({ length: POINTS }, (_, i) => (n * 7 + i * 13) % 1000)
  const first = START_MS + n * BATCH_MS
  const points = values.map((value, i) => [first + i * 1000, value])
  const [a, b] = [
    [[first, 4711], ...points],
    [...points, [first + 500, null]],
  ]
  const series = [a, b].map((points, i) => ({ device: gateway, metric: `m-${i}`, unit: 'C', points }))
  const body = { batch_id: `${gateway}-${n}`, source: gateway, series }
  return { id: body.batch_id, body: JSON.stringify(body), sum: 2 * values.reduce((x, y) => x + y, 0) }
}

async function sendUntilTaken(
  ledger: Ledger,
  url: string,
  key: string,
  { id, body, sum }: ReturnType<typeof batchOf>,
): Promise<void> {
  for (;;) {
    const answer = await post(url, key, body)
    if (answer?.status === 200 || answer?.status === 202) {
      const { batch_id, status, datapoints, rejected } = v.parse(Receipt, JSON.parse(answer.text))
      if (batch_id !== id || datapoints !== 2 * POINTS || rejected !== 2) ledger.wrong.push(answer.text)
      if (status === 'duplicate') ledger.duplicates.heard += 1
      ledger.receipts.set(id, { datapoints, rejected })
      ledger.values += sum
      return
    }
    ledger.duplicates.possible += 1
    if (answer && !isPassing(answer)) ledger.wrong.push(`${answer.status} ${answer.text}`)
    await sleep(AGAIN_MS)
  }
}

interface Answer {
  status: number
  retryAfter: string
  text: string
}

const isPassing = ({ status, retryAfter }: Answer) => status === 503 && /^[1-9]\d*$/.test(retryAfter)

/** undefined: no answer came. */
async function post(url: string, key: string, body: string): Promise<Answer | undefined> {
  try {
    const answer = await fetch(`${url}/v1/ingest`, {
      ...{ method: 'POST', body, signal: AbortSignal.timeout(ANSWER_WITHIN_MS) },
      headers: { 'x-api-key': key, 'content-type': 'application/json' },
    })
    const retryAfter = answer.headers.get('retry-after') ?? ''
    return { status: answer.status, retryAfter, text: await answer.text() }
  } catch {
    return undefined
  }
}

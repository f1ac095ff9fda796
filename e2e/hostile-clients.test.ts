import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type DevFile, readDevFile } from '../local/dev-file.ts'
import { makeTenant, type Tenant } from './exactly-once.ts'
import { fuzzRequests, sendAndJudge } from './fuzz-requests.ts'
import { type Answer, type Framing, send } from './http-client.ts'
import { end, makePlace, type Place, type Run, run, untilReady } from './local-stack.ts'

const LONG = process.env['PROPERTY_RUNS'] !== undefined
const RUNS = Number(process.env['PROPERTY_RUNS'] ?? 200)
const SEED = Number(process.env['PROPERTY_SEED'] ?? Date.now() % 1_000_000_000)
const ROUNDS = 10
const MIB = 1024 * 1024
/** All 64 take half a minute to come back as they are told; in short runs a few do, who come sooner. */
const MAX_PATIENCE_MS = LONG ? 60_000 : 1_000
/**
 * Of the whole process that runs the Worker and all that is beside it here. The runtime has no limit of its own on
 * one machine, collects garbage late and gives back little: it comes to some 500 MiB. The heap of the Worker was 4 MiB
 * after each of thousands of such requests (by the inspector); bodies that were kept would soon be gigabytes.
 */
const MAX_MEMORY_MIB = 1024

let place: Place
let dev: Run
let file: DevFile
let tenant: Tenant

beforeAll(async () => {
  place = await makePlace()
  dev = run('dev', place)
  file = await untilReady(dev, place)
  tenant = await makeTenant(file, 'hostile')
})
afterAll(() => end(dev, place))

/** What the Worker's process has in memory. Only Linux tells; elsewhere this is not tested. */
function workerMemoryMib(): number {
  const place = `/proc/${file.pids.worker}/status`
  const status = existsSync(place) ? readFileSync(place, 'utf8') : 'VmRSS: 0 kB'
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024
}

/** No part was started again; the supervisor says which was, and how it ended. */
const expectNoRestart = () => expect(readDevFile(place.stateDir)?.pids, dev.output()).toEqual(file.pids)

/** White space makes a batch as long as one may be. */
const PADDING = Buffer.alloc(8 * MIB - 1000, 0x20)

function post(batch_id: string, padding: Uint8Array[], framing?: Framing): Promise<Answer | undefined> {
  const points = Array.from({ length: 10 }, (_, i) => [Date.now() - i * 1000, i])
  const batch = JSON.stringify({ batch_id, series: [{ device: batch_id, metric: 'm', points }] })
  const headers = { 'x-api-key': tenant.key, 'content-type': 'application/json' }
  const body = [Buffer.from(batch), ...padding]
  return send(`${file.url}/v1/ingest`, { method: 'POST', headers, body, ...(framing && { framing }) })
}

/** Sends a batch of 8 MiB once: 202, or a 503 that says when to come back. */
async function postLarge(batchId: string): Promise<'accepted' | { retryAfterMs: number }> {
  const answer = await post(batchId, [PADDING])
  if (answer?.status === 202) return 'accepted'
  expect(answer, dev.output()).toMatchObject({
    status: 503,
    text: expect.stringContaining('"code":"unavailable"'),
  })
  expect(answer?.headers['retry-after']).toMatch(/^[1-9]\d*$/)
  return { retryAfterMs: Number(answer?.headers['retry-after']) * 1000 }
}

/** Sends it until it is accepted, as a gateway does. */
async function untilAccepted(batchId: string): Promise<void> {
  for (let outcome = await postLarge(batchId); outcome !== 'accepted'; outcome = await postLarge(batchId)) {
    await sleep(Math.min(outcome.retryAfterMs, MAX_PATIENCE_MS))
  }
}

describe('the Worker', () => {
  it(`answers ${RUNS} generated requests as the contract says, and is none the worse for it`, async () => {
    console.warn(`requests: seed ${SEED}, ${RUNS} requests`)
    const tally = new Map<string, number>()
    const memoryMib: number[] = []
    for (let round = 0; round < ROUNDS; round += 1) {
      await fc.assert(
        fc.asyncProperty(fuzzRequests(Date.now(), tenant.key), async (request) => {
          const outcome = await sendAndJudge(file.url, file.admin_token, request)
          tally.set(outcome, (tally.get(outcome) ?? 0) + 1)
        }),
        { numRuns: RUNS / ROUNDS, seed: SEED + round },
      )
      memoryMib.push(Math.round(workerMemoryMib()))
    }
    const counts = [...tally].sort().map(([outcome, count]) => `${count} × ${outcome}`)
    console.warn(`requests: ${counts.join(', ')}; the Worker had ${memoryMib.join(', ')} MiB`)
    const ways = ['200', '202', '204', '400', '401', '404', '405', '413', '415']
    if (LONG) expect([...tally.keys()]).toEqual(expect.arrayContaining(ways))
    expectNoRestart()
    expect(Math.max(...memoryMib)).toBeLessThan(MAX_MEMORY_MIB)
  }, 3_600_000)

  it('takes some of 64 concurrent posts of 8 MiB, sends the rest away for a while, and lets small ones pass', async () => {
    let mostMib = 0
    const watch = setInterval(() => {
      mostMib = Math.max(mostMib, workerMemoryMib())
    }, 50)
    const ids = Array.from({ length: 64 }, (_, i) => `large-${i}`)
    const large = Promise.all(ids.map(postLarge))
    const small = await Promise.all(Array.from({ length: 30 }, (_, i) => post(`small-${i}`, [])))
    const outcomes = await large
    const refused = ids.filter((_, i) => outcomes[i] !== 'accepted')
    await Promise.all((LONG ? refused : refused.slice(0, 4)).map(untilAccepted))
    clearInterval(watch)
    expectNoRestart()
    expect(new Set(small.map((answer) => answer?.status))).toEqual(new Set([202]))
    console.warn(
      `64 posts of 8 MiB: ${64 - refused.length} accepted; the Worker had at most ${mostMib.toFixed()} MiB`,
    )
    expect(refused.length).toBeGreaterThan(0)
    expect(refused.length).toBeLessThan(64)
    expect(mostMib).toBeLessThan(MAX_MEMORY_MIB)
  })

  it('gives back what senders held that are gone, whether they hang up, break off or reset', async () => {
    for (let round = 0; round < 8; round += 1) {
      const framings = ['reset', 'cut off', 'reset'] as const
      await Promise.all(framings.map((framing) => post(`gone-${round}`, [PADDING.subarray(0, MIB)], framing)))
    }
    // What is not given back is held for a minute.
    await expect.poll(() => postLarge('after'), { timeout: 20_000, interval: 500 }).toBe('accepted')
  })

  it('answers a sender that says too much beforehand, also one that does not listen before it has sent all', async () => {
    const { hostname, port } = new URL(file.url)
    const head = `POST /v1/ingest HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-API-Key: ${tenant.key}\r\n`
    for (const sent of [0, 9 * MIB]) {
      const socket = connect(Number(port), hostname)
      socket.write(`${head}Content-Length: ${9 * MIB}\r\n\r\n`)
      await new Promise((resolve, reject) => {
        socket.once('error', reject)
        socket.write(Buffer.alloc(sent), resolve)
      })
      const [answer] = await once(socket, 'data')
      expect(`${answer}`).toMatch(/^HTTP\/1.1 413 /)
      socket.destroy()
    }
  })
})

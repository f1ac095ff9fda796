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
import { makePlace, type Place, type Run, run, untilReady } from './local-stack.ts'

const RUNS = Number(process.env['PROPERTY_RUNS'] ?? 200)
const SEED = Number(process.env['PROPERTY_SEED'] ?? Date.now() % 1_000_000_000)
const ROUNDS = 10
const MIB = 1024 * 1024
const POINTS = 10
const MAX_GROWTH_MIB = 400

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
afterAll(async () => {
  dev.child.kill('SIGTERM')
  await dev.exited
  place.remove()
})

/** What the Worker's process has in memory. Only Linux tells; elsewhere this is not tested. */
function workerMemoryMib(): number {
  if (!existsSync('/proc/self/status')) return 0
  const status = readFileSync(`/proc/${file.pids.worker}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024
}

/** White space makes a batch as long as one may be. */
const PADDING = Buffer.alloc(8 * MIB - 1000, 0x20)

function post(batch_id: string, padding: Uint8Array[], framing?: Framing): Promise<Answer | undefined> {
  const points = Array.from({ length: POINTS }, (_, i) => [Date.now() - i * 1000, i])
  const batch = JSON.stringify({ batch_id, series: [{ device: batch_id, metric: 'm', points }] })
  const headers = { 'x-api-key': tenant.key, 'content-type': 'application/json' }
  const body = [Buffer.from(batch), ...padding]
  return send(`${file.url}/v1/ingest`, { method: 'POST', headers, body, ...(framing && { framing }) })
}

/** Sends a batch of 8 MiB until it is accepted, as a gateway does; returns how often it was told to wait. */
async function postUntilAccepted(batchId: string): Promise<number> {
  for (let refusals = 0; ; refusals += 1) {
    const answer = await post(batchId, [PADDING])
    if (answer?.status === 202) return refusals
    expect(answer).toMatchObject({ status: 503, text: expect.stringContaining('"code":"unavailable"') })
    const retryAfter = answer!.headers['retry-after']
    expect(retryAfter).toMatch(/^[1-9]\d*$/)
    await sleep(Number(retryAfter) * 1000)
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
    for (const outcome of ['200', '202', '204', '400', '413', '415'])
      expect(tally.get(outcome)).toBeGreaterThan(0)
    expect(readDevFile(place.stateDir)?.pids).toEqual(file.pids)
    expect(memoryMib.at(-1)! - memoryMib[0]!).toBeLessThan(MAX_GROWTH_MIB)
  }, 3_600_000)

  it('lets 64 senders of 8 MiB wait for each other, small batches pass, and takes all in the end', async () => {
    const before = workerMemoryMib()
    const most = { mib: 0 }
    const watch = setInterval(() => {
      most.mib = Math.max(most.mib, workerMemoryMib())
    }, 20)
    const large = Array.from({ length: 64 }, (_, i) => postUntilAccepted(`large-${i}`))
    const small = Array.from({ length: 30 }, (_, i) => post(`small-${i}`, []))
    for (const answer of await Promise.all(small)) expect(answer?.status).toBe(202)
    const refusals = await Promise.all(large)
    clearInterval(watch)
    const atOnce = refusals.filter((count) => count === 0).length
    console.warn(
      `64 × 8 MiB: ${atOnce} accepted at once, ${refusals.reduce((a, b) => a + b)} refusals, most ${Math.max(...refusals)}; memory ${before} to at most ${most.mib} MiB`,
    )
    expect(atOnce).toBeGreaterThan(0)
    expect(atOnce).toBeLessThan(64)
    expect(readDevFile(place.stateDir)?.pids).toEqual(file.pids)
  })

  it('gives back what senders held that are gone, whether they hang up, break off or reset', async () => {
    for (let round = 0; round < 8; round += 1) {
      const framings = ['reset', 'cut off', 'reset'] as const
      await Promise.all(framings.map((framing) => post(`gone-${round}`, [PADDING.subarray(0, MIB)], framing)))
    }
    expect(await postUntilAccepted('after')).toBeLessThan(10)
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

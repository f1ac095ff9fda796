import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'

const GATEWAY = path.join(path.dirname(fileURLToPath(import.meta.url)), 'gateway.mjs')

interface Batch {
  batch_id: string
  source: string
  datapoints: object[]
}
type Answer = (batch: Batch, response: ServerResponse) => void

/** What the service says to the batches as they come, in turn; then it takes them. */
let answers: Answer[] = []
let received: { batch: Batch; at: number }[] = []
let spool: string

const accept: Answer = ({ batch_id }, response) => {
  response.writeHead(202).end(JSON.stringify({ batch_id, status: 'accepted', rejected: 0, errors: [] }))
}
const refuse =
  (status: number, code: string, headers = {}): Answer =>
  (_, response) => {
    response.writeHead(status, headers).end(JSON.stringify({ status, code, detail: `because of ${code}` }))
  }

const server = createServer(async (request: IncomingMessage, response) => {
  const chunks = await request.toArray()
  const batch: Batch = JSON.parse(gunzipSync(Buffer.concat(chunks)).toString())
  received.push({ batch, at: performance.now() })
  const answer = answers.shift() ?? accept
  answer(batch, response)
})
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})
afterAll(() => {
  server.close()
})
beforeEach(() => {
  ;[answers, received] = [[], []]
  spool = mkdtempSync(path.join(tmpdir(), 'edgepulse-spool-'))
})
afterEach(() => {
  rmSync(spool, { recursive: true, force: true })
})

/** Runs the program over `lines` until it ends by itself. */
async function run(lines: string[], environment: Record<string, string> = {}) {
  const { port } = server.address() as AddressInfo
  const child = spawn(process.execPath, [GATEWAY], {
    env: { EDGEPULSE_URL: `http://127.0.0.1:${port}`, EDGEPULSE_KEY: 'epk_x', SPOOL: spool, ...environment },
  })
  const output = { stdout: '', stderr: '' }
  child.stdout.on('data', (chunk) => {
    output.stdout += chunk
  })
  child.stderr.on('data', (chunk) => {
    output.stderr += chunk
  })
  child.stdin.on('error', () => {}) // it stopped before it read all
  child.stdin.end(lines.map((line) => `${line}\n`).join(''))
  const code = await new Promise((resolve) => child.once('close', resolve))
  return { code, ids: output.stdout.trim().split('\n'), stderr: output.stderr }
}

const readings = (...values: number[]) =>
  JSON.stringify(values.map((value) => ({ device: 'pump-7', metric: 't', ts: 1767225600000 + value, value })))
const batches = () => readdirSync(spool).filter((name) => name !== 'rejected')
const rejected = () => readdirSync(path.join(spool, 'rejected'))
const sentIds = () => received.map(({ batch }) => batch.batch_id)

describe('the gateway', () => {
  it('sends each line as a batch, oldest first, and forgets it once it was accepted or known already', async () => {
    answers = [accept, (batch, response) => response.writeHead(200).end(JSON.stringify(batch))]
    const { code, ids } = await run([readings(1, 2), readings(3)], { GATEWAY: 'gw-7' })
    expect(code).toBe(0)
    expect(sentIds()).toEqual(ids)
    expect(received.map(({ batch }) => batch)).toMatchObject([
      { source: 'gw-7', datapoints: [{ value: 1 }, { value: 2 }] },
      { source: 'gw-7', datapoints: [{ value: 3 }] },
    ])
    expect(ids[0]).toMatch(/^gw-7-[0-9a-f]{32}$/)
    expect(batches()).toEqual([])
  })

  it('tries the same batch again for as long as the fault may pass, and not before Retry-After', async () => {
    const hangUp: Answer = (_, response) => response.destroy()
    const login: Answer = (_, response) => response.writeHead(200).end('<html>Welcome to the hotel</html>')
    answers = [
      refuse(503, 'unavailable', { 'retry-after': '1' }),
      hangUp,
      refuse(500, 'internal_error'),
      login,
    ]
    const { code, ids, stderr } = await run([readings(1)])
    expect(code).toBe(0)
    expect(sentIds()).toEqual(Array.from({ length: 5 }, () => ids[0]))
    expect(received[1]!.at - received[0]!.at).toBeGreaterThanOrEqual(990)
    expect(stderr).toContain('503, because of unavailable: again in 1')
    expect(batches()).toEqual([])
  })

  it('sets aside what will never be taken, with the reason, and goes on', async () => {
    answers = [refuse(400, 'no_datapoint_accepted'), refuse(409, 'batch_conflict')]
    const { code, ids } = await run([readings(1), readings(2), readings(3)])
    expect(code).toBe(0)
    expect(sentIds()).toEqual(ids)
    expect(batches()).toEqual([])
    const problems = rejected().filter((name) => name.endsWith('.problem.json'))
    const reasons = problems.map((name) =>
      JSON.parse(readFileSync(path.join(spool, 'rejected', name), 'utf8')),
    )
    expect(reasons.map(({ code }) => code).sort()).toEqual(['batch_conflict', 'no_datapoint_accepted'])
    for (const id of ids.slice(0, 2)) expect(rejected().filter((name) => name.includes(id))).toHaveLength(2)
  })

  it.each([401, 403, 404])(
    'stops at %i, tells why and keeps the spool for the next start',
    async (status) => {
      answers = [refuse(status, 'invalid_api_key')]
      const { code, stderr } = await run([readings(1)])
      expect(code).toBe(1)
      expect(stderr).toContain(`stopped: ${status} because of invalid_api_key; the spool keeps 1 batches`)
      expect(batches()).toHaveLength(1)
      expect((await run([])).code).toBe(0)
      expect(new Set(sentIds()).size).toBe(1)
      expect(batches()).toEqual([])
    },
  )

  it('halves what is too large until it is taken, and sets aside what cannot be halved', async () => {
    const upTo =
      (most: number): Answer =>
      (batch, response) =>
        (batch.datapoints.length > most ? refuse(413, 'payload_too_large') : accept)(batch, response)
    answers = Array.from({ length: 20 }, () => upTo(2))
    expect((await run([readings(1, 2, 3, 4, 5)])).code).toBe(0)
    const taken = received.map(({ batch }) => batch.datapoints).filter(({ length }) => length <= 2)
    expect(
      taken
        .flat()
        .map((each) => Reflect.get(each, 'value'))
        .sort(),
    ).toEqual([1, 2, 3, 4, 5])
    answers = [upTo(0)]
    expect((await run([readings(6)])).code).toBe(0)
    expect(rejected()).toHaveLength(2)
    expect(batches()).toEqual([])
  })

  it('drops the oldest batches of a full spool, and tells which', async () => {
    answers = [refuse(503, 'unavailable', { 'retry-after': '1' })]
    const lines = Array.from({ length: 10 }, (_, i) => readings(i))
    const { ids, stderr } = await run(lines, { SPOOL_MAX_BYTES: '700' })
    const dropped = [...stderr.matchAll(/the spool is full: dropped (\S+)/g)].map(([, id]) => id)
    expect(dropped).toEqual(ids.slice(0, dropped.length))
    expect(dropped.length).toBeGreaterThan(3)
    expect(new Set(sentIds())).toEqual(new Set([ids[0], ...ids.slice(dropped.length)]))
    expect(batches()).toEqual([])
  })

  it('does not send what a killed program had only begun to write, nor the same readings as two batches', async () => {
    writeFileSync(path.join(spool, 'gateway-1-x.json.gz.tmp'), 'half')
    const { ids } = await run([readings(1), readings(1)])
    expect(ids[0]).toBe(ids[1])
    expect(new Set(sentIds())).toEqual(new Set(ids))
    expect(batches()).toEqual([])
  })
})

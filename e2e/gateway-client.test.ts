import { type ChildProcess, spawn } from 'node:child_process'
import { copyFileSync, readdirSync } from 'node:fs'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type DevFile, readDevFile } from '../local/dev-file.ts'
import { ROOT } from '../local/settings.ts'
import { expectExactlyOnce, makeTenant } from './exactly-once.ts'
import { end, makePlace, type Place, type Run, run, untilReady } from './local-stack.ts'

const BATCHES = 120
const POINTS = 50
/** How far the feed is ahead of what it knows to be safe, and of what is sent. */
const AHEAD = 3
const MAX_SPOOLED = 8
/** What feeds it was killed as well, and had not yet noted the last answers: it puts these lines again. */
const FORGOTTEN = 5
const PUMPS = ['pump-1', 'pump-2']

let place: Place
let dev: Run
let file: DevFile

beforeAll(async () => {
  place = await makePlace({ RESEND_AFTER_MS: '3000' })
  dev = run('dev', place)
  file = await untilReady(dev, place)
})
afterAll(() => end(dev, place))

/** The program as a user has it: a copy, in a folder where there is nothing else. */
function startGateway(key: string) {
  const folder = path.dirname(place.stateDir)
  copyFileSync(path.join(ROOT, 'examples/gateway/gateway.mjs'), path.join(folder, 'gateway.mjs'))
  const child = spawn(process.execPath, ['gateway.mjs'], {
    cwd: folder,
    env: { EDGEPULSE_URL: file.url, EDGEPULSE_KEY: key },
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  child.stdin.on('error', () => {}) // killed
  return child
}

/** The datapoints of the nth line: a second apart, from some hours ago on. */
const start = Date.now() - 20 * 3_600_000
function lineOf(n: number): string {
  const datapoints = PUMPS.flatMap((device) =>
    Array.from({ length: POINTS }, (_, i) => {
      const ts = start + (n * POINTS + i) * 1000
      return { device, metric: 'pressure', unit: 'bar', ts, value: Math.sin(n + i) }
    }),
  )
  return `${JSON.stringify(datapoints)}\n`
}

const spooled = () =>
  readdirSync(path.join(path.dirname(place.stateDir), 'spool')).filter((name) => name.endsWith('.gz'))

/**
 * What feeds a gateway: puts each line until it has heard that it is safe, a few ahead, and waits while many are
 * not sent. Resolves with the number of lines that are safe, once all are or the gateway was killed.
 */
async function feed(gateway: ChildProcess, from: number, onSafe: (safe: number) => void): Promise<number> {
  const { stdin, stdout } = gateway
  const hasRoom = () => gateway.killed || spooled().length < MAX_SPOOLED
  const put = (n: number) => n < BATCHES && stdin!.write(lineOf(n))
  for (let n = from; n < from + AHEAD; n += 1) put(n)
  let safe = from
  for await (const _ of createInterface({ input: stdout! })) {
    safe += 1
    onSafe(safe)
    await expect.poll(hasRoom, { timeout: 60_000, interval: 20 }).toBe(true)
    put(safe + AHEAD - 1)
    if (safe === BATCHES) stdin!.end()
  }
  return safe
}

it('loses nothing and sends nothing twice, though the Worker and the gateway are killed on the way', async () => {
  const tenant = await makeTenant(file, 'plant')
  const killWorker = () => process.kill(readDevFile(place.stateDir)!.pids.worker, 'SIGKILL')
  let gateway = startGateway(tenant.key)
  let safe = await feed(gateway, 0, (count) => {
    if (count === 15) killWorker()
    if (count === 40) gateway.kill('SIGKILL')
  })
  expect(safe).toBeGreaterThanOrEqual(40)
  expect(safe).toBeLessThan(BATCHES)
  expect(spooled().length).toBeGreaterThan(0)

  gateway = startGateway(tenant.key)
  safe = await feed(gateway, safe - FORGOTTEN, (count) => {
    if (count === 70) killWorker()
    if (count === 90) gateway.kill('SIGKILL')
  })
  expect(safe).toBeLessThan(BATCHES)

  gateway = startGateway(tenant.key)
  const exited = new Promise((resolve) => gateway.once('close', resolve))
  expect(await feed(gateway, safe - FORGOTTEN, () => {})).toBe(BATCHES)
  expect(await exited).toBe(0)
  expect(spooled()).toEqual([])
  file = readDevFile(place.stateDir) ?? file
  await expectExactlyOnce(file, tenant, BATCHES * POINTS * PUMPS.length)
})

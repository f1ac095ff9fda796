import { mkdtempSync, rmSync } from 'node:fs'
import { chmod } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type DevFile, readDevFile } from '../local/dev-file.ts'
import { freePort } from '../local/ports.ts'
import { type LocalPostgres, startPostgres } from '../local/postgres.ts'
import { seededRandom } from '../telemetry/random.ts'
import { expectAsHeard, pendingOf } from './as-heard.ts'
import { makeTenant, type Tenant } from './exactly-once.ts'
import { type Gateways, startGateways } from './gateways.ts'
import { end, makePlace, type Place, processTree, type Run, run, untilReady } from './local-stack.ts'

/*
 * Postgres is somebody else's, as in production: nobody starts it again but this test, and until then it is away.
 * `npm run test:long -- outage` has outages of half a minute, in several rounds.
 */

const LONG = process.env['PROPERTY_RUNS'] !== undefined
const ROUNDS = Number(process.env['PROPERTY_RUNS'] ?? 1)
const SEED = Number(process.env['PROPERTY_SEED'] ?? Date.now() % 1_000_000_000)
const OUTAGE_MS = LONG ? 30_000 : 3_000
const MAX_GAP_MS = 1_500

const random = seededRandom(SEED)
let dir: string
let options: { dir: string; port: number }
let postgres: LocalPostgres
let place: Place
let dev: Run
let file: DevFile
let tenant: Tenant
let gateways: Gateways

beforeAll(async () => {
  dir = mkdtempSync(path.join(tmpdir(), 'edgepulse-outage-'))
  await chmod(dir, 0o755) // run as root, Postgres is another user and must get in
  options = { dir: path.join(dir, 'pg'), port: await freePort() }
  postgres = await startPostgres(options)
  // What a killed Worker held in its queue is sent again after this, rather than after half a minute.
  place = await makePlace({ RESEND_AFTER_MS: '3000', DATABASE_URL: postgres.databaseUrl })
  dev = run('dev', place)
  file = await untilReady(dev, place)
  tenant = await makeTenant(file, 'patient')
})
afterAll(async () => {
  await end(dev, place)
  await postgres.stop()
  rmSync(dir, { recursive: true, force: true })
})

it(
  `loses and doubles nothing in outages of Postgres and deaths of the Worker, seed ${SEED}`,
  async () => {
    gateways = startGateways(file, tenant, ['gateway-1', 'gateway-2', 'gateway-3'])
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const fault of shuffled([stopped, frozen, killed, stoppedWhileTheWorkerDies])) {
        await gateways.moreAccepted()
        await sleep(random() * MAX_GAP_MS) // into whatever is under way then
        await fault()
      }
    }
    await gateways.moreAccepted()
    const ledger = await gateways.stop()
    console.warn(`outage: ${ledger.accepted} datapoints of ${ledger.receipts.size} batches accepted`)
    await expectAsHeard(file, tenant, ledger)
    expect(dev.output()).not.toMatch(/The ML service (was )?ended/) // it waits outages out
  },
  ROUNDS * 4 * (OUTAGE_MS + 10_000) + 240_000,
)

/** As for maintenance: sessions are ended, then nobody answers at its address. */
async function stopped(): Promise<void> {
  await postgres.stop()
  await duringOutage()
  postgres = await startPostgres(options)
}

async function killed(): Promise<void> {
  process.kill(postgres.pid, 'SIGKILL')
  await postgres.exited
  await duringOutage()
  postgres = await startPostgres(options)
}

async function stoppedWhileTheWorkerDies(): Promise<void> {
  await postgres.stop()
  await sleep(random() * OUTAGE_MS)
  await killWorker()
  await duringOutage()
  postgres = await startPostgres(options)
  await sleep(random() * MAX_GAP_MS) // in the midst of what has waited
  await killWorker()
}

/** Connections stay and say nothing; afterwards each goes on where it was, also those nobody waits for any more. */
async function frozen(): Promise<void> {
  const all = () => processTree(postgres.pid).map(({ pid }) => pid)
  const signal = (pids: number[], name: NodeJS.Signals) => {
    for (const pid of pids) process.kill(pid, name)
  }
  signal([postgres.pid], 'SIGSTOP') // it starts no more
  signal(all(), 'SIGSTOP')
  await gateways.moreAccepted()
  await sleep(OUTAGE_MS)
  signal(all(), 'SIGCONT')
}

/** Batches are taken all the while, and it can be seen that they wait. */
async function duringOutage(): Promise<void> {
  await gateways.moreAccepted()
  const { batches_pending, oldest_pending_seconds, warnings } = await pendingOf(tenant)
  expect(batches_pending).toBeGreaterThan(0)
  expect(oldest_pending_seconds).not.toBeNull()
  expect(warnings).toMatchObject([{ code: 'database_unavailable' }])
  await sleep(OUTAGE_MS)
  await gateways.moreAccepted()
}

async function killWorker(): Promise<void> {
  const { pids } = readDevFile(place.stateDir)!
  process.kill(pids.worker, 'SIGKILL')
  await expect
    .poll(() => readDevFile(place.stateDir)?.pids.worker, { timeout: 60_000, interval: 50 })
    .not.toBe(pids.worker)
}

const shuffled = <T>(list: T[]): T[] =>
  list
    .map((one) => [random(), one] as const)
    .toSorted(([a], [b]) => a - b)
    .map(([, one]) => one)

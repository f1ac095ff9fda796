import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { type DevFile, readDevFile } from '../local/dev-file.ts'
import { expectAsHeard } from './as-heard.ts'
import { makeTenant } from './exactly-once.ts'
import { startGateways } from './gateways.ts'
import { startReading } from './honest-reads.ts'
import { end, makePlace, type Place, type Run, run, untilReady } from './local-stack.ts'

const GATEWAYS = ['gateway-1', 'gateway-2']

let place: Place
let dev: Run
let file: DevFile

beforeAll(async () => {
  // What a killed Worker held in its queue is sent again after this, rather than after half a minute.
  place = await makePlace({ RESEND_AFTER_MS: '3000' })
  dev = run('dev', place)
  file = await untilReady(dev, place)
})
afterAll(() => end(dev, place))

describe('a stack whose parts are killed while gateways send', () => {
  it('starts each part again and stores every accepted datapoint exactly once', async () => {
    const tenant = await makeTenant(file, 'survivor-1')
    const gateways = startGateways(file, tenant, GATEWAYS)
    const reading = await startReading(file)
    for (const part of ['postgres', 'worker', 'ml', 'worker', 'postgres'] as const) {
      await gateways.moreAccepted()
      await killAndAwait(part)
    }
    await gateways.moreAccepted()
    expect(await reading.stop()).toEqual([])
    await expectAsHeard(file, tenant, await gateways.stop())
  })

  it('loses nothing when the supervisor itself is killed and started again', async () => {
    const tenant = await makeTenant(file, 'survivor-2')
    const gateways = startGateways(file, tenant, GATEWAYS)
    await gateways.moreAccepted()
    process.kill(file.pids.supervisor, 'SIGKILL')
    await dev.exited
    dev = run('dev', place)
    await vi.waitFor(() => expect(dev.output()).toContain('Ready'), { timeout: 60_000 })
    await gateways.moreAccepted()
    await expectAsHeard(file, tenant, await gateways.stop())
  })
})

async function killAndAwait(part: 'postgres' | 'worker' | 'ml'): Promise<void> {
  const before = readDevFile(place.stateDir)?.pids[part]
  expect(before).toBeTypeOf('number')
  process.kill(before!, 'SIGKILL')
  await expect
    .poll(() => readDevFile(place.stateDir)?.pids[part] ?? before, { timeout: 60_000, interval: 50 })
    .not.toBe(before)
  expect(dev.output()).toMatch(
    new RegExp(`${{ postgres: 'Postgres', worker: 'The Worker', ml: 'The ML service' }[part]} (was )?ended`),
  )
}

import { setTimeout as sleep } from 'node:timers/promises'
import * as v from 'valibot'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { Api } from '../local/api.ts'
import { type DevFile, readDevFile } from '../local/dev-file.ts'
import { expectExactlyOnce, makeTenant } from './exactly-once.ts'
import { startReading } from './honest-reads.ts'
import { makePlace, type Place, type Run, run, untilReady } from './local-stack.ts'

/** A gateway's buffer: two series, a point a second. */
const POINTS = 120
const BATCH_MS = POINTS * 1000

let place: Place
let dev: Run
let file: DevFile

beforeAll(async () => {
  // What a killed Worker held in its queue is sent again after this, rather than after half a minute.
  place = await makePlace({ RESEND_AFTER_MS: '3000' })
  dev = run('dev', place)
  file = await untilReady(dev, place)
})
afterAll(async () => {
  dev.child.kill('SIGTERM')
  await dev.exited
  place.remove()
})

describe('a stack whose parts are killed while gateways send', () => {
  it('starts each part again and stores every accepted datapoint exactly once', async () => {
    const tenant = await makeTenant(file, 'survivor-1')
    const load = startLoad(tenant.api)
    const reading = await startReading(file)
    for (const part of ['postgres', 'worker', 'ml', 'worker', 'postgres'] as const) {
      await moreAccepted(load)
      await killAndAwait(part)
    }
    await moreAccepted(load)
    expect(await reading.stop()).toEqual([])
    await expectExactlyOnce(file, tenant, await load.stop())
  })

  it('loses nothing when the supervisor itself is killed and started again', async () => {
    const tenant = await makeTenant(file, 'survivor-2')
    const load = startLoad(tenant.api)
    await moreAccepted(load)
    process.kill(file.pids.supervisor, 'SIGKILL')
    await dev.exited
    dev = run('dev', place)
    await vi.waitFor(() => expect(dev.output()).toContain('Ready'), { timeout: 60_000 })
    await moreAccepted(load)
    await expectExactlyOnce(file, tenant, await load.stop())
  })
})

const moreAccepted = async ({ accepted }: ReturnType<typeof startLoad>) => {
  const before = accepted()
  await expect.poll(accepted, { timeout: 60_000, interval: 20 }).toBeGreaterThan(before)
}

/** Two gateways that send buffer after buffer, each again until it is answered. */
function startLoad(api: Api) {
  const receipt = v.object({ datapoints: v.number(), rejected: v.literal(0) })
  let accepted = 0
  let stopped = false
  const send = async (gateway: string) => {
    const first = Date.now() - 20 * 3_600_000
    for (let n = 0; !stopped; n += 1) {
      const points = Array.from({ length: POINTS }, (_, i) => [
        first + n * BATCH_MS + i * 1000,
        Math.sin(n + i),
      ])
      const series = ['a', 'b'].map((metric) => ({ device: gateway, metric, points }))
      const body = { batch_id: `${gateway}-${n}`, source: gateway, series }
      const { datapoints } = await api.json('/v1/ingest', receipt, { method: 'POST', body })
      accepted += datapoints
      await sleep(20) // a gateway's pace
    }
  }
  const sending = Promise.all(['gateway-1', 'gateway-2'].map(send))
  return {
    accepted: () => accepted,
    stop: async () => {
      stopped = true
      await sending
      return accepted
    },
  }
}

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

import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { Webhook } from 'standardwebhooks'
import * as v from 'valibot'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { type DevFile, readDevFile } from '../local/dev-file.ts'
import { sayPresence } from '../ml-service/testing/seed-presence.ts'
import { startReceiver } from '../ml-service/testing/webhook-receiver.ts'
import { makeTenant, type Tenant } from './exactly-once.ts'
import { end, makePlace, type Place, type Run, run, untilReady } from './local-stack.ts'

/*
 * A gateway with a hundred devices stops, and sends again. `npm run test:long -- silence` waits for all of it, which
 * takes minutes: the shard learns, falls silent and reports. Otherwise the test says to Postgres what the shard would,
 * which durable-objects/silence.workerd.test.ts holds it to, with the clock in its hand.
 */
const LONG = process.env['PROPERTY_RUNS'] !== undefined
const DEVICES = Array.from({ length: 100 }, (_, i) => `pump-${String(i).padStart(2, '0')}`)
/** Further apart than what counts as one arrival. */
const PACE_MS = 11_000
const MINUTE = 60_000
const PATIENCE_MS = 240_000

let place: Place
let dev: Run
let file: DevFile
let tenant: Tenant
let pool: pg.Pool
let receiver: Awaited<ReturnType<typeof startReceiver>>
let webhook: Webhook

beforeAll(async () => {
  place = await makePlace({ WEBHOOK_ALLOW_PRIVATE: '1' })
  dev = run('dev', place)
  file = await untilReady(dev, place)
  tenant = await makeTenant(file, 'works')
  pool = new pg.Pool({ connectionString: file.database_url, max: 2 })
  pool.on('error', () => {})
  receiver = await startReceiver()
  const secret = v.object({ secret: v.string() })
  const created = await tenant.api.json('/v1/webhooks', secret, {
    method: 'POST',
    body: { url: receiver.url },
  })
  webhook = new Webhook(created.secret)
  const rule = { name: 'gone', kind: 'silence', intervals: 2, floor_seconds: 60 }
  await tenant.api.json('/v1/alert-rules', v.object({ kind: v.literal('silence') }), {
    method: 'POST',
    body: rule,
  })
})
afterAll(async () => {
  await end(dev, place)
  await pool.end()
  await receiver.stop()
})

const Message = v.object({
  type: v.string(),
  data: v.object({
    ...{ id: v.string(), state: v.string(), device_count: v.number(), silent_count: v.number() },
    devices: v.array(v.object({ device: v.string(), recovered_at: v.nullable(v.string()) })),
  }),
})

/** What the receiver got, verified as receivers do. */
const messages = () =>
  receiver.received.map(({ body, headers }) =>
    v.parse(Message, webhook.verify(body, v.parse(v.record(v.string(), v.any()), headers))),
  )

async function send(): Promise<void> {
  const series = DEVICES.map((device) => ({ device, metric: 'pressure', points: [[Date.now(), 5]] }))
  const status = v.object({ status: v.string() })
  const body = { batch_id: `gateway-${Date.now()}`, source: 'gateway', series }
  await tenant.api.json('/v1/ingest', status, { method: 'POST', body })
}

/** The gateway has sent as it does, and has stopped; returns when. */
async function sendAndStop(): Promise<number> {
  for (let i = 0; i < (LONG ? 6 : 1); i += 1) {
    if (i > 0) await sleep(PACE_MS)
    await send()
  }
  const stoppedAt = Date.now() - (LONG ? 0 : 3 * MINUTE)
  if (LONG) return stoppedAt
  await pool.query(`update alert_rules set armed_at = 'epoch'`)
  await say({ silentSince: stoppedAt })
  return stoppedAt
}

async function sendAgain(stoppedAt: number): Promise<void> {
  await send()
  if (!LONG) await say({ gap: [stoppedAt, Date.now()] })
}

const say = (said: { silentSince: number } | { gap: [number, number] }) =>
  sayPresence(pool, tenant.tenantId, Object.fromEntries(DEVICES.map((name) => [name, said])), Date.now())

async function killMl(): Promise<void> {
  const { ml } = readDevFile(place.stateDir)!.pids
  process.kill(ml, 'SIGKILL')
  const another = () => readDevFile(place.stateDir)?.pids.ml ?? ml
  await expect.poll(another, { timeout: 60_000, interval: 50 }).not.toBe(ml)
}

it(
  'a gateway that stops is one event that names its hundred devices, and one when they are back, whoever dies',
  async () => {
    const stoppedAt = await sendAndStop()
    await killMl()
    await vi.waitFor(() => expect(receiver.received.length).toBe(1), { timeout: PATIENCE_MS, interval: 250 })
    await sendAgain(stoppedAt)
    await killMl()
    await vi.waitFor(() => expect(receiver.received.length).toBe(2), { timeout: PATIENCE_MS, interval: 250 })
    const [silent, recovered] = messages()
    expect(silent).toMatchObject({
      type: 'device.silent',
      data: { state: 'open', device_count: 100, silent_count: 100 },
    })
    expect(silent!.data.devices.map(({ device }) => device)).toEqual(DEVICES)
    expect(recovered).toMatchObject({
      type: 'device.recovered',
      data: { state: 'resolved', silent_count: 0 },
    })
    expect(recovered!.data.devices.map(({ device }) => device)).toEqual(DEVICES)
    expect(recovered!.data.devices.filter(({ recovered_at }) => recovered_at === null)).toEqual([])
    expect(recovered!.data.id).toBe(silent!.data.id)
  },
  2 * PATIENCE_MS + 120_000,
)

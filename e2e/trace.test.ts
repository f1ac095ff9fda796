import { readFileSync } from 'node:fs'
import path from 'node:path'
import * as v from 'valibot'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { DevFile } from '../local/dev-file.ts'
import { steadyPoints, WINDOW } from '../ml-service/testing/synthetic.ts'
import { startReceiver } from '../ml-service/testing/webhook-receiver.ts'
import { LogLine } from '../telemetry/log-line.ts'
import { traceIdOf } from '../telemetry/trace.ts'
import { end, makePlace, type Place, type Run, run, untilReady } from './local-stack.ts'

/*
 * One request's trace from the gateway to the webhook it causes, on the whole stack; and what the stack logs meanwhile.
 */

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const DEVICE = 'device-nobody-logs'
const ODD_VALUE = 4711.4711

let place: Place
let dev: Run
let file: DevFile
let receiver: Awaited<ReturnType<typeof startReceiver>>

beforeAll(async () => {
  receiver = await startReceiver()
  place = await makePlace({ WEBHOOK_ALLOW_PRIVATE: '1' })
  dev = run('dev', place)
  file = await untilReady(dev, place)
})
afterAll(async () => {
  await end(dev, place)
  await receiver.stop()
})

const call = (address: string, authorization: string, body?: unknown, headers = {}) =>
  fetch(file.url + address, {
    ...(body !== undefined && {
      method: 'POST',
      body: typeof body === 'string' ? body : JSON.stringify(body),
    }),
    headers: { authorization: `Bearer ${authorization}`, 'content-type': 'application/json', ...headers },
  })

async function made<Schema extends v.GenericSchema>(answer: Promise<Response>, schema: Schema) {
  return v.parse(schema, await (await answer).json())
}

async function makeTenant() {
  const { id } = await made(
    call('/admin/tenants', file.admin_token, { name: 'traced' }),
    v.object({ id: v.string() }),
  )
  const scopes = { scopes: ['ingest', 'read', 'manage'] }
  const keys = call(`/admin/tenants/${id}/keys`, file.admin_token, scopes)
  return { id, key: (await made(keys, v.object({ key: v.string() }))).key }
}

const logs = () =>
  ['worker.log', 'ml.log'].map((name) => readFileSync(path.join(place.stateDir, name), 'utf8')).join('\n')
/** Lines that the runtime itself writes are no lines of ours. */
const lines = () =>
  logs()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line): unknown => JSON.parse(line))

const Traced = v.looseObject({ trace_id: v.string() })

describe('a batch that raises an alert', () => {
  it('is one trace from the request to the webhook, and every line is of the schema and tells no secret', async () => {
    const { id, key } = await makeTenant()
    const rule = { name: 'all', metric_id: null, threshold: 1 }
    expect((await call('/v1/alert-rules', key, rule)).status).toBe(201)
    const { secret } = await made(
      call('/v1/webhooks', key, { url: receiver.url }),
      v.object({ secret: v.string() }),
    )
    const start = Math.floor(Date.now() / WINDOW) * WINDOW - 202 * WINDOW
    const all = steadyPoints(start, 200)
    const [cause, after] = [start + 200 * WINDOW + 1000, start + 201 * WINDOW + 100_000]
    const batch = (points: [number, number][], batch_id: string) => ({
      ...{ batch_id, series: [{ device: DEVICE, metric: 'temperature', points }] },
    })
    const ingest = (body: unknown, headers = {}) => call('/v1/ingest', key, body, headers)
    await ingest(batch(all, 'history'))
    const traceparent = `00-${TRACE}-00f067aa0ba902b7-01`
    const answer = await ingest(batch([[cause, ODD_VALUE]], 'cause'), { traceparent })
    expect([answer.status, traceIdOf(answer.headers.get('traceparent') ?? '')]).toEqual([202, TRACE])
    await expect
      .poll(async () => (await call('/v1/batches/cause', key)).json(), { timeout: 30_000 })
      .toMatchObject({ status: 'persisted' })
    await ingest(batch([[after, 70]], 'after')) // its time closes the window

    await expect.poll(() => receiver.received.length, { timeout: 60_000, interval: 200 }).toBeGreaterThan(0)
    const webhook = receiver.received[0]!
    expect(JSON.parse(webhook.body)).toMatchObject({ type: 'alert.opened', data: { device: DEVICE } })
    expect(traceIdOf(String(webhook.headers['traceparent']))).toBe(TRACE)

    await ingest('{"nothing":') // refused
    await ingest({ ...batch([[cause, 1]], 'cause') }) // other content
    await call('/v1/status', `${key}x`)
    await expect
      .poll(() => lines().filter((line) => v.is(Traced, line) && line.trace_id === TRACE))
      .toMatchObject([
        { service: 'edge', event: 'ingest', tenant_id: id, batch_id: 'cause', outcome: 'accepted' },
        { service: 'edge', event: 'batch_persisted', tenant_id: id, batch_id: 'cause', datapoints: 1 },
        { service: 'ml', event: 'alert_opened', tenant_id: id },
        { service: 'ml', event: 'webhook_attempt', tenant_id: id, outcome: 'delivered', status: 204 },
      ])
    const strays = lines().filter((line) => !v.is(LogLine, line))
    expect(strays).toEqual([])
    const events = new Set(lines().map((line) => v.parse(LogLine, line).event))
    expect([...events]).toEqual(
      expect.arrayContaining(['admin_call', 'flush_persisted', 'scored', 'serving']),
    )
    const text = logs()
    const secrets = readFileSync(path.join(place.stateDir, 'secrets.json'), 'utf8')
    const own = Object.values(v.parse(v.record(v.string(), v.string()), JSON.parse(secrets)))
    expect(own.length).toBeGreaterThan(3)
    for (const told of [key, secret, ...own, file.database_url, DEVICE, String(ODD_VALUE)]) {
      expect(text).not.toContain(told)
    }
    expect(text).not.toMatch(/epk_|whsec_/)
  })
})

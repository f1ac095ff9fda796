import { randomBytes, randomUUID } from 'node:crypto'
import pg from 'pg'
import { Webhook } from 'standardwebhooks'
import { afterAll, afterEach, beforeAll, beforeEach, expect, inject, it } from 'vitest'
import { migrate } from '../../migrations/migrate.ts'
import { scratchDatabase } from '../../migrations/scratch-database.ts'
import { sealSecret } from '../../telemetry/secret-box.ts'
import { webhookSecretOf } from '../../telemetry/signature.ts'
import { addEndpoint, SECRET_KEY } from '../test/seed-alerting.ts'
import { seedTenant } from '../test/seed-tenant.ts'
import { type ReceivedRequest, startReceiver } from '../test/webhook-receiver.ts'
import { deliverDue } from './deliver-due.ts'
import { enqueueDeliveries } from './enqueue-deliveries.ts'
import { RETRY_DELAYS_MS } from './next-attempt.ts'
import { webhookPoster } from './webhook-poster.ts'

// Everything that is due is delivered, so these tests have a database of their own.
let scratch: Awaited<ReturnType<typeof scratchDatabase>>
let pool: pg.Pool
const poster = webhookPoster(true)
const closers: (() => Promise<void>)[] = []
beforeAll(async () => {
  scratch = await scratchDatabase(inject('databaseUrl'))
  await migrate(scratch.url)
  pool = new pg.Pool({ connectionString: scratch.url, max: 4 })
})
beforeEach(() => pool.query('delete from tenants'))
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})
afterAll(async () => {
  await poster.close()
  await pool.end()
  await scratch.drop()
})

const BODY = '{"type":"alert.opened","timestamp":"2026-01-01T00:00:00.000Z","data":{"text":"é ✓"}}'

const deliver = (now: number, post = poster.post) =>
  deliverDue({ pool, now: () => now, random: () => 0.5, webhookSecretKey: SECRET_KEY, post })

async function due(answer?: Parameters<typeof startReceiver>[0], path = '') {
  const receiver = await startReceiver(answer)
  closers.push(receiver.stop)
  const { tenantId } = await seedTenant(pool)
  const endpoint = await addEndpoint(pool, tenantId, receiver.url + path)
  const now = Date.now()
  await enqueueDeliveries(pool, tenantId, { eventKey: randomUUID(), type: 'alert.opened', body: BODY }, now)
  return { receiver, tenantId, endpoint, now }
}

async function deliveryOf(tenantId: string) {
  const { rows } = await pool.query('select * from webhook_deliveries where tenant_id = $1', [tenantId])
  return rows[0]
}

const verify = (secret: string, { body, headers }: ReceivedRequest) =>
  new Webhook(secret).verify(body, {
    'webhook-id': String(headers['webhook-id']),
    'webhook-timestamp': String(headers['webhook-timestamp']),
    'webhook-signature': String(headers['webhook-signature']),
  })

it('sends exactly the stored bytes with a signature that the standard package verifies', async () => {
  const { receiver, tenantId, endpoint, now } = await due()
  expect(await deliver(now)).toEqual({ delivered: 1, retrying: 0, failed: 0 })
  const [request] = receiver.received
  expect(request!.body).toBe(BODY)
  expect(request!.headers['content-type']).toBe('application/json')
  expect(verify(endpoint.secret, request!)).toEqual(JSON.parse(BODY))
  const delivery = await deliveryOf(tenantId)
  expect(request!.headers['webhook-id']).toBe(delivery.id)
  expect(delivery).toMatchObject({ state: 'delivered', attempt_count: 1, next_attempt_at: null })
  expect(delivery.attempts).toEqual([
    { at: new Date(now).toISOString(), status: 204, duration_ms: 0, error: null },
  ])
  expect(await deliver(now + 1e9)).toEqual({ delivered: 0, retrying: 0, failed: 0 })
})

it('tries again after a 500 when the schedule says so, with the same id and a new timestamp', async () => {
  const { receiver, tenantId, endpoint, now } = await due((response, _request, nth) => {
    response.writeHead(nth === 1 ? 500 : 200).end('ok')
  })
  expect(await deliver(now)).toMatchObject({ retrying: 1 })
  expect((await deliveryOf(tenantId)).next_attempt_at.getTime()).toBe(now + 5_250)
  expect(await deliver(now + 5_249)).toEqual({ delivered: 0, retrying: 0, failed: 0 })
  expect(await deliver(now + 5_250)).toMatchObject({ delivered: 1 })
  const [first, second] = receiver.received
  expect(second!.headers['webhook-id']).toBe(first!.headers['webhook-id'])
  expect(Number(second!.headers['webhook-timestamp'])).toBe(Math.floor((now + 5_250) / 1000))
  expect(verify(endpoint.secret, second!)).toEqual(JSON.parse(BODY))
  const { attempts, state } = await deliveryOf(tenantId)
  expect(state).toBe('delivered')
  expect(attempts.map(({ status }: { status: number }) => status)).toEqual([500, 200])
})

it('gives up after the last attempt of the schedule', async () => {
  const { receiver, tenantId, now } = await due((response) => response.writeHead(503).end())
  let at = now
  for (let attempt = 0; attempt <= RETRY_DELAYS_MS.length; attempt += 1) {
    await deliver(at)
    at += 12 * 3600_000
  }
  expect(await deliveryOf(tenantId)).toMatchObject({
    state: 'failed',
    attempt_count: 8,
    next_attempt_at: null,
  })
  expect(receiver.received).toHaveLength(8)
})

it('follows no redirect', async () => {
  const { receiver, tenantId, now } = await due((response) => {
    response.writeHead(302, { location: '/elsewhere' }).end()
  })
  expect(await deliver(now)).toMatchObject({ retrying: 1 })
  expect(receiver.received.map(({ path }) => path)).toEqual(['/hook'])
  expect((await deliveryOf(tenantId)).attempts[0]).toMatchObject({
    status: 302,
    error: 'answered 302: redirects are not followed',
  })
})

it('disables an endpoint that answers 410', async () => {
  const { receiver, tenantId, now } = await due((response) => response.writeHead(410).end())
  expect(await deliver(now)).toMatchObject({ failed: 1 })
  const { rows } = await pool.query('select enabled from webhook_endpoints where tenant_id = $1', [tenantId])
  expect(rows).toEqual([{ enabled: false }])
  await enqueueDeliveries(pool, tenantId, { eventKey: 'next', type: 'alert.opened', body: BODY }, now)
  await deliver(now + 1)
  expect(receiver.received).toHaveLength(1)
})

it('signs with the old secret too while it is being rotated, and no longer', async () => {
  const { receiver, tenantId, endpoint, now } = await due()
  const previous = webhookSecretOf(randomBytes(24))
  const sealed = await sealSecret(previous, SECRET_KEY, `${tenantId}/${endpoint.id}`)
  await pool.query(
    'update webhook_endpoints set previous_secret = $2, previous_secret_expires = $3 where tenant_id = $1',
    [tenantId, sealed, new Date(now + 1000)],
  )
  await deliver(now)
  await enqueueDeliveries(pool, tenantId, { eventKey: 'later', type: 'alert.opened', body: BODY }, now)
  await deliver(now + 1000)
  const [during, after] = receiver.received
  for (const secret of [endpoint.secret, previous]) expect(verify(secret, during!)).toEqual(JSON.parse(BODY))
  expect(verify(endpoint.secret, after!)).toEqual(JSON.parse(BODY))
  expect(() => verify(previous, after!)).toThrow()
})

it('refuses private addresses, in a URL or behind a name, and anything but https, unless allowed', async () => {
  const strict = webhookPoster(false)
  closers.push(strict.close)
  const { receiver } = await due()
  const post = async (url: string) => (await strict.post(url, {}, BODY)).error
  expect(await post(receiver.url)).toBe('the URL is not https:')
  expect(await post(`https://127.0.0.1:${receiver.port}/`)).toBe('127.0.0.1 is not a public address')
  expect(await post(`https://2130706433:${receiver.port}/`)).toBe('127.0.0.1 is not a public address')
  expect(await post(`https://[::ffff:127.0.0.1]:${receiver.port}/`)).toMatch(/not a public address/)
  expect(await post('https://169.254.169.254/latest/meta-data')).toMatch(/not a public address/)
  expect(await post(`https://localhost:${receiver.port}/`)).toMatch(
    /localhost leads to .*, which is not public/,
  )
  expect(await post('https://user:secret@example.com/')).toBe('the URL carries user information')
  expect(receiver.received).toEqual([])
})

it('leaves a delivery that another process has claimed until its lease has run out', async () => {
  const { receiver, now } = await due()
  let held = 0
  const dying = () => {
    held += 1
    return Promise.reject(new Error('killed'))
  }
  await expect(deliver(now, dying)).rejects.toThrow('killed')
  await deliver(now + 59_000)
  expect(receiver.received).toHaveLength(0)
  expect(await deliver(now + 60_000)).toMatchObject({ delivered: 1 })
  expect(held).toBe(1)
})

it('reads no more of an answer than it needs', async () => {
  const { now } = await due((response) => {
    response.writeHead(200)
    response.on('error', () => {})
    const more = () => {
      while (!response.destroyed && response.write(Buffer.alloc(65_536)));
      response.once('drain', more)
    }
    more()
  })
  expect(await deliver(now)).toMatchObject({ delivered: 1 })
})

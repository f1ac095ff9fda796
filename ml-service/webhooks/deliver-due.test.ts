import { createHmac, randomBytes, randomUUID } from 'node:crypto'
import { Webhook } from 'standardwebhooks'
import { expect, it, vi } from 'vitest'
import { sealSecret } from '../../telemetry/secret-box.ts'
import { webhookSecretOf } from '../../telemetry/signature.ts'
import { cryptoRandom } from '../../telemetry/trace.ts'
import { inTransaction, OPERATOR } from '../database.ts'
import { BODY, delivering, verify } from '../testing/delivering.ts'
import { startCli } from '../testing/run-cli.ts'
import { addEndpoint, SECRET_KEY } from '../testing/seed-alerting.ts'
import type { Answer } from '../testing/webhook-receiver.ts'
import { claimDeliveries, oldestDueDeliverySeconds } from './deliveries-sql.ts'

const { pool, databaseUrl, receiver: startReceiver, enqueue, deliver, due, deliveriesOf } = delivering()
const NONE = { delivered: 0, retrying: 0, failed: 0 }

it('sends exactly the stored bytes with a signature that the standard package verifies', async () => {
  const { receiver, tenantId, endpoint, now } = await due((response) =>
    response.writeHead(202).end('thanks\0'),
  )
  expect(await deliver(now)).toEqual({ ...NONE, delivered: 1 })
  const [request] = receiver.received
  expect(request!.body).toBe(BODY)
  expect(request!.headers['content-type']).toBe('application/json')
  expect(verify(endpoint.secret, request!)).toEqual(JSON.parse(BODY))
  const [delivery] = await deliveriesOf(tenantId)
  expect(request!.headers['webhook-id']).toBe(delivery.id)
  expect(delivery).toMatchObject({ state: 'delivered', attempt_count: 1, next_attempt_at: null })
  expect(delivery.attempts).toEqual([
    { at: new Date(now).toISOString(), status: 202, duration_ms: 0, error: null, response: 'thanks ' },
  ])
  expect(await deliver(now + 1e9)).toEqual(NONE)
})

it('names the trace of what it tells of, the same for every attempt, and a span of its own for each', async () => {
  const failing: Answer = (response, _request, nth) => response.writeHead(nth <= 2 ? 500 : 204).end()
  const { receiver, tenantId, now } = await due(failing)
  const traceId = '4bf92f35-77b3-4da6-a3ce-929d0e0e4736'
  await enqueue(tenantId, now, { traceId, body: '{"of":"a batch"}' })
  await deliver(now)
  expect(await deliver(now + 6000)).toMatchObject({ delivered: 2 })
  const headers = (body: string) =>
    receiver.received.filter((sent) => sent.body === body).map((sent) => String(sent.headers['traceparent']))
  const traced = headers('{"of":"a batch"}')
  const plain = headers(BODY)
  for (const header of traced) expect(header).toMatch(/^00-4bf92f3577b34da6a3ce929d0e0e4736-[0-9a-f]{16}-01$/)
  // Where none is known, the delivery's own id stands for one.
  for (const header of plain) expect(header.slice(0, 36)).toBe(plain[0]!.slice(0, 36))
  expect(plain[0]!.slice(3, 35)).not.toBe(traced[0]!.slice(3, 35))
  expect(new Set([...traced, ...plain]).size).toBe(4)
})

it('commits none of the five classic mistakes of senders', async () => {
  const { receiver, endpoint, now } = await due()
  await deliver(now)
  const [sent] = receiver.received
  const id = String(sent!.headers['webhook-id'])
  const seconds = String(sent!.headers['webhook-timestamp'])
  const signature = String(sent!.headers['webhook-signature'])
  const key = Buffer.from(endpoint.secret.slice('whsec_'.length), 'base64')
  const sign = (secret: Buffer | string, timestamp: string, body: string) =>
    createHmac('sha256', secret).update(`${id}.${timestamp}.${body}`)
  expect(signature).toBe(`v1,${sign(key, seconds, BODY).digest('base64')}`)
  const spaced = JSON.stringify(JSON.parse(BODY), null, 1)
  const mistakes = {
    'a timestamp in milliseconds': [
      `${seconds}000`,
      `v1,${sign(key, `${seconds}000`, BODY).digest('base64')}`,
    ],
    'a digest in hex': [seconds, `v1,${sign(key, seconds, BODY).digest('hex')}`],
    'an equals sign after the version': [seconds, signature.replace('v1,', 'v1=')],
    'a secret that is not decoded': [
      seconds,
      `v1,${sign(endpoint.secret.slice('whsec_'.length), seconds, BODY).digest('base64')}`,
    ],
    'a body that was written anew': [seconds, `v1,${sign(key, seconds, spaced).digest('base64')}`],
  }
  for (const [mistake, [timestamp, wrong]] of Object.entries(mistakes)) {
    const headers = { 'webhook-id': id, 'webhook-timestamp': timestamp!, 'webhook-signature': wrong! }
    expect([timestamp, wrong], mistake).not.toEqual([seconds, signature])
    expect(() => new Webhook(endpoint.secret).verify(BODY, headers), mistake).toThrow()
  }
})

it('signs with every old secret too that was replaced lately, each as long as it is promised', async () => {
  const { receiver, tenantId, endpoint, now } = await due()
  const [last, first] = [webhookSecretOf(randomBytes(24)), webhookSecretOf(randomBytes(24))]
  const seal = (secret: string) => sealSecret(secret, SECRET_KEY, `${tenantId}/${endpoint.id}`)
  const previous = [
    { secret: await seal(last), expires_at: new Date(now + 2000) },
    { secret: await seal(first), expires_at: new Date(now + 1000) },
  ]
  const set = 'update webhook_endpoints set previous_secrets = $2 where tenant_id = $1'
  await pool().query(set, [tenantId, JSON.stringify(previous)])
  for (const later of [0, 1000, 2000]) {
    if (later > 0) await enqueue(tenantId, now)
    await deliver(now + later)
  }
  const signed = receiver.received.map((message) => {
    const isGood = (secret: string) => {
      try {
        return verify(secret, message) !== undefined
      } catch {
        return false
      }
    }
    const count = String(message.headers['webhook-signature']).split(' ').length
    return [count, ...[endpoint.secret, last, first].map(isGood)]
  })
  expect(signed).toEqual([
    [3, true, true, true],
    [2, true, true, false],
    [1, true, false, false],
  ])
})

it('opens secrets that the key before sealed, and blames no receiver for one that it cannot open', async () => {
  const { receiver, tenantId, endpoint, now } = await due()
  const newKey = randomBytes(32).toString('base64')
  expect(await deliver(now, { webhookSecretKeys: [newKey] })).toEqual({ ...NONE, retrying: 1 })
  const { rows } = await pool().query('select failing_since from webhook_endpoints')
  expect(rows).toEqual([{ failing_since: null }])
  expect((await deliveriesOf(tenantId))[0].attempts[0].error).toMatch(/^the secret cannot be opened/)
  expect(await deliver(now + 6_000, { webhookSecretKeys: [newKey, SECRET_KEY] })).toMatchObject({
    delivered: 1,
  })
  expect(verify(endpoint.secret, receiver.received[0]!)).toEqual(JSON.parse(BODY))
})

it('costs at most one more copy with the same id when it is killed between sending and recording', async () => {
  const arrived = Promise.withResolvers<void>()
  const { receiver, tenantId, now } = await due((response, _request, nth) => {
    if (nth > 1) response.writeHead(204).end()
    else arrived.resolve()
  })
  const child = startCli(['deliver'], {
    DATABASE_URL: databaseUrl(),
    WEBHOOK_SECRET_KEY: SECRET_KEY,
    WEBHOOK_ALLOW_PRIVATE: '1',
  })
  await arrived.promise
  child.kill('SIGKILL')
  expect((await deliveriesOf(tenantId))[0]).toMatchObject({ state: 'pending', attempts: [] })
  expect(await deliver(now)).toEqual(NONE)
  expect(await deliver(Date.now() + 60_000)).toMatchObject({ delivered: 1 })
  expect(await deliver(Date.now() + 1e9)).toEqual(NONE)
  const ids = receiver.received.map(({ headers }) => headers['webhook-id'])
  expect(ids).toEqual([ids[0], ids[0]])
  expect((await deliveriesOf(tenantId))[0].state).toBe('delivered')
})

it('lets a receiver that never answers hold up nobody but itself, with few connections', async () => {
  const held: (() => void)[] = []
  const {
    receiver: slow,
    tenantId,
    now,
  } = await due((response) => {
    held.push(() => response.writeHead(204).end())
  })
  const fast = await startReceiver()
  await addEndpoint(pool(), tenantId, fast.url)
  for (let i = 0; i < 12; i += 1) await enqueue(tenantId, now)
  const { post } = patientPoster()
  const done = deliver(now, { post })
  await vi.waitFor(() => expect(fast.received).toHaveLength(12))
  await vi.waitFor(() => expect(slow.received).toHaveLength(4))
  await enqueue(tenantId, now)
  await vi.waitFor(() => expect(fast.received).toHaveLength(13))
  expect(slow.received).toHaveLength(4)
  const letting = setInterval(() => {
    for (const release of held.splice(0)) release()
  }, 5)
  expect(await done).toEqual({ ...NONE, delivered: 27 })
  clearInterval(letting)
})

/** Waits for receivers as long as the deliverer does in production. */
function patientPoster() {
  return {
    post: async (url: string, headers: Record<string, string>, body: string) => {
      const { status } = await fetch(url, { method: 'POST', headers, body })
      return { status, error: null, response: '', retryAfter: undefined }
    },
  }
}

it('makes no more attempts at a time to one endpoint when several processes deliver', async () => {
  const { tenantId, now } = await due()
  for (let i = 0; i < 12; i += 1) await enqueue(tenantId, now)
  const claim = () =>
    inTransaction(pool(), OPERATOR, (db) =>
      claimDeliveries(db, { now, leaseUntil: now + 60_000, limit: 100, perEndpoint: 4 }),
    )
  const claims = await Promise.all([claim(), claim(), claim()])
  expect(claims.map(({ length }) => length).sort()).toEqual([0, 0, 4])
})

it('sends what concerns one alert in order, and lets other alerts pass', async () => {
  const failing: Answer = (response, _request, nth) => response.writeHead(nth <= 2 ? 500 : 204).end()
  const { receiver, tenantId, now } = await due(failing)
  const alert = { alertId: randomUUID() }
  const messages = ['first', 'second', 'third'].map((text) => JSON.stringify({ text }))
  for (const sequence of [3, 2, 1]) {
    await enqueue(tenantId, now, { body: messages[sequence - 1]!, order: { ...alert, sequence } })
  }
  expect(await deliver(now)).toMatchObject({ delivered: 0, retrying: 2 })
  expect(receiver.received.map(({ body }) => body).sort()).toEqual([BODY, messages[0]].sort())
  expect(await deliver(now + 1000)).toEqual(NONE)
  expect(await oldestDueDeliverySeconds(pool(), now + 1000)).toBe(0) // who waits for its turn is not late
  expect(await oldestDueDeliverySeconds(pool(), now + 6250)).toBe(1)
  expect(await deliver(now + 6000)).toMatchObject({ delivered: 4 })
  const ofAlert = receiver.received.map(({ body }) => body).filter((body) => body !== BODY)
  expect(ofAlert).toEqual([messages[0], ...messages])
})

it('takes no more when it is told to stop, and finishes what it has begun', async () => {
  const { receiver, tenantId, now } = await due()
  for (let i = 0; i < 9; i += 1) await enqueue(tenantId, now)
  const seen = () => receiver.received.length
  const { deliverDue } = await import('./deliver-due.ts')
  const { post } = patientPoster()
  const chance = { random: () => 0, randomBytes: cryptoRandom }
  const deps = {
    pool: pool(),
    now: () => now,
    ...chance,
    webhookSecretKeys: [SECRET_KEY],
    logSampleRate: 0,
    post,
  }
  const summary = await deliverDue({ ...deps, sleep: () => new Promise(() => {}) }, () => seen() > 0)
  expect(summary.delivered).toBe(seen())
  expect(seen()).toBeLessThan(10)
})

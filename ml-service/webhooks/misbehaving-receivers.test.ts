import { afterAll, expect, it } from 'vitest'
import { delivering, verify } from '../testing/delivering.ts'
import { addEndpoint } from '../testing/seed-alerting.ts'
import type { Answer } from '../testing/webhook-receiver.ts'
import { FAILING_FOR_MS } from './endpoint-health.ts'
import { webhookPoster } from './webhook-poster.ts'

const { pool, receiver: startReceiver, enqueue, deliver, due, deliveriesOf, endpointOf } = delivering()

/** With the time that receivers have in production. */
const patient = webhookPoster(true)
afterAll(() => patient.close())

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
/** The contract's waits, each longer by half the jitter. */
const SCHEDULE = [5 * SECOND, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 10 * HOUR].map(
  (wait) => wait * 1.05,
)

const answering = (status: number, headers: Record<string, string> = {}): Answer => {
  return (response) => response.writeHead(status, headers).end('answer')
}

interface Case {
  name: string
  answer: Answer
  url?: (port: number) => string
  /** How the first attempt is recorded, and when the second is due. */
  attempt: { status: number | null; error: unknown; response?: unknown }
  state: 'pending' | 'delivered' | 'failed'
  wait?: number
}

const CASES: Case[] = [
  {
    name: 'never answers',
    answer: () => {},
    attempt: { status: null, error: 'no answer within 0.4 s', response: null },
    state: 'pending',
    wait: SCHEDULE[0]!,
  },
  {
    name: 'begins to answer and does not end',
    answer: (response) => void response.writeHead(200).write('beg'),
    attempt: { status: 200, error: null, response: 'beg' },
    state: 'delivered',
  },
  {
    name: 'sends a byte now and then for longer than it may',
    answer: (response) => {
      response.writeHead(200)
      const drip = setInterval(() => response.write('.'), 50)
      response.once('close', () => clearInterval(drip))
    },
    attempt: { status: 200, error: null, response: expect.stringMatching(/^\.+$/) },
    state: 'delivered',
  },
  {
    name: 'cuts its answer off',
    answer: (response) => {
      response.writeHead(500, { 'content-length': '99' }).write('bro')
      setTimeout(() => response.socket?.resetAndDestroy(), 20)
    },
    attempt: { status: 500, error: 'answered 500', response: 'bro' },
    state: 'pending',
    wait: SCHEDULE[0]!,
  },
  {
    name: 'resets the connection',
    answer: (response) => void response.socket?.resetAndDestroy(),
    attempt: { status: null, error: expect.stringMatching(/ECONNRESET|other side closed/), response: null },
    state: 'pending',
    wait: SCHEDULE[0]!,
  },
  {
    name: 'does not listen',
    answer: () => {},
    url: () => 'http://127.0.0.1:1/',
    attempt: { status: null, error: expect.stringContaining('ECONNREFUSED'), response: null },
    state: 'pending',
    wait: SCHEDULE[0]!,
  },
  {
    name: 'does not speak TLS',
    answer: answering(200),
    url: (port) => `https://127.0.0.1:${port}/`,
    attempt: { status: null, error: expect.stringMatching(/SSL|TLS|EPROTO|wrong version/i), response: null },
    state: 'pending',
    wait: SCHEDULE[0]!,
  },
  {
    name: 'does not exist',
    answer: () => {},
    url: () => 'https://receiver.invalid/',
    attempt: { status: null, error: 'getaddrinfo ENOTFOUND receiver.invalid', response: null },
    state: 'pending',
    wait: SCHEDULE[0]!,
  },
  ...[400, 401, 404, 408, 422, 429, 500, 502, 503, 504].map(
    (status): Case => ({
      name: `answers ${status}`,
      answer: answering(status),
      attempt: { status, error: `answered ${status}`, response: 'answer' },
      state: 'pending',
      wait: SCHEDULE[0]!,
    }),
  ),
  ...[301, 302, 303, 307, 308].map(
    (status): Case => ({
      name: `answers ${status} to itself`,
      answer: answering(status, { location: '/hook' }),
      attempt: { status, error: `answered ${status}: redirects are not followed`, response: 'answer' },
      state: 'pending',
      wait: SCHEDULE[0]!,
    }),
  ),
  {
    name: 'asks for two minutes',
    answer: answering(429, { 'retry-after': '120' }),
    attempt: { status: 429, error: 'answered 429', response: 'answer' },
    state: 'pending',
    wait: 2 * MINUTE * 1.05,
  },
  {
    name: 'asks for a day',
    answer: answering(503, { 'retry-after': '86400' }),
    attempt: { status: 503, error: 'answered 503', response: 'answer' },
    state: 'pending',
    wait: HOUR * 1.05,
  },
  {
    name: 'asks for less than the schedule gives',
    answer: answering(429, { 'retry-after': '1' }),
    attempt: { status: 429, error: 'answered 429', response: 'answer' },
    state: 'pending',
    wait: SCHEDULE[0]!,
  },
  {
    name: 'is gone for good',
    answer: answering(410),
    attempt: { status: 410, error: 'answered 410', response: 'answer' },
    state: 'failed',
  },
  {
    name: 'answers without end',
    answer: (response) => {
      response.writeHead(200)
      response.on('error', () => {})
      const more = () => {
        while (!response.destroyed && response.write('x'.repeat(65_536)));
        response.once('drain', more)
      }
      more()
    },
    attempt: { status: 200, error: null, response: 'x'.repeat(500) },
    state: 'delivered',
  },
  {
    name: 'answers what no database stores and no terminal should show',
    answer: (response) => response.writeHead(200).end(Buffer.from('a\0b\u001b[31m\xff\ud83d', 'utf8')),
    attempt: { status: 200, error: null, response: 'a b [31mÿ\ufffd' },
    state: 'delivered',
  },
]

it.each(CASES)('a receiver that $name', async ({ answer, url, attempt, state, wait }) => {
  const { receiver, tenantId, now } = await due(answer, url)
  await deliver(now)
  expect(receiver.received.length).toBeLessThanOrEqual(1)
  const [delivery] = await deliveriesOf(tenantId)
  expect(delivery.attempts).toEqual([{ at: new Date(now).toISOString(), duration_ms: 0, ...attempt }])
  expect(delivery).toMatchObject({ state, claimed_until: null })
  expect(delivery.next_attempt_at?.getTime()).toBe(wait && now + wait)
  expect(await deliver(now + (wait ?? 1e9) - 1)).toEqual({ delivered: 0, retrying: 0, failed: 0 })
})

it('hangs up on a receiver whose answer has no end, long before its time is over', async () => {
  let written = 0
  const { now } = await due((response) => {
    response.writeHead(200)
    response.on('error', () => {})
    const more = () => {
      do written += 65_536
      while (!response.destroyed && response.write(Buffer.alloc(65_536)))
      response.once('drain', more)
    }
    more()
  })
  await deliver(now, { post: patient.post })
  expect(written).toBeLessThan(32 * 1024 * 1024) // what fits into the buffers of two sockets, and far from what 15 s would give
})

it('tries again after a 500 with the same id, a new timestamp and a signature of that moment', async () => {
  const { receiver, tenantId, endpoint, now } = await due((response, _request, nth) => {
    response.writeHead(nth === 1 ? 500 : 200).end('ok')
  })
  await deliver(now)
  expect(await deliver(now + 5_250)).toMatchObject({ delivered: 1 })
  const [first, second] = receiver.received
  expect(second!.headers['webhook-id']).toBe(first!.headers['webhook-id'])
  expect(second!.body).toBe(first!.body)
  expect(Number(second!.headers['webhook-timestamp'])).toBe(Math.floor((now + 5_250) / 1000))
  expect(verify(endpoint.secret, second!)).toEqual(JSON.parse(second!.body))
  const [{ attempts, state }] = await deliveriesOf(tenantId)
  expect(state).toBe('delivered')
  expect(attempts.map(({ status }: { status: number }) => status)).toEqual([500, 200])
})

it('makes eight attempts at the times of the schedule and gives up', async () => {
  const { receiver, tenantId, now } = await due(answering(503))
  const times = [now]
  for (const wait of SCHEDULE) times.push(times.at(-1)! + wait)
  for (const time of times) {
    expect(await deliver(time - 1)).toEqual({ delivered: 0, retrying: 0, failed: 0 })
    await deliver(time)
  }
  const [delivery] = await deliveriesOf(tenantId)
  expect(delivery).toMatchObject({ state: 'failed', attempt_count: 8, next_attempt_at: null })
  const at = delivery.attempts.map((attempt: { at: string }) => Date.parse(attempt.at))
  expect(at).toEqual(times)
  expect(receiver.received).toHaveLength(8)
})

it('remembers the last 50 attempts of a delivery that is sent again and again', async () => {
  const { tenantId, now } = await due(answering(500))
  for (let i = 0; i < 51; i += 1) {
    await deliver(now + i)
    await pool().query("update webhook_deliveries set state = 'pending', next_attempt_at = $1", [
      new Date(now),
    ])
  }
  const [{ attempts, attempt_count }] = await deliveriesOf(tenantId)
  expect([attempts.length, attempt_count]).toEqual([50, 51])
  expect(Date.parse(attempts[0].at)).toBe(now + 1)
})

it('disables an endpoint that is gone, tells the others, and sends it nothing more', async () => {
  const { receiver, tenantId, endpoint, now } = await due(answering(410))
  const other = await startReceiver()
  const { secret } = await addEndpoint(pool(), tenantId, other.url)
  expect(await deliver(now)).toEqual({ delivered: 1, retrying: 0, failed: 1 })
  const disabled = { disabled_at: new Date(now), disabled_reason: 'gone' }
  expect(await endpointOf(tenantId)).toMatchObject({ id: endpoint.id, enabled: false, ...disabled })
  expect(other.received.map((request) => verify(secret, request))).toEqual([
    {
      type: 'webhook.disabled',
      timestamp: new Date(now).toISOString(),
      data: {
        webhook_id: endpoint.id,
        url: receiver.url,
        disabled_at: new Date(now).toISOString(),
        disabled_reason: 'gone',
      },
    },
  ])
  await enqueue(tenantId, now)
  await deliver(now + 1)
  expect([receiver.received.length, other.received.length]).toEqual([1, 2])
})

it('keeps what waits for a disabled endpoint until it is enabled again', async () => {
  const { receiver, tenantId, now } = await due()
  const enable = (enabled: boolean) => pool().query('update webhook_endpoints set enabled = $1', [enabled])
  await enable(false)
  expect(await deliver(now)).toEqual({ delivered: 0, retrying: 0, failed: 0 })
  await enable(true)
  expect(await deliver(now)).toMatchObject({ delivered: 1 })
  expect(receiver.received).toHaveLength(1)
  expect((await deliveriesOf(tenantId))[0].state).toBe('delivered')
})

it('disables an endpoint when nothing has got through for five days, and not before', async () => {
  const { tenantId, now } = await due(answering(500))
  await deliver(now)
  await enqueue(tenantId, now + FAILING_FOR_MS - 1)
  await deliver(now + FAILING_FOR_MS - 1)
  expect(await endpointOf(tenantId)).toMatchObject({ enabled: true, failing_since: new Date(now) })
  await enqueue(tenantId, now + FAILING_FOR_MS)
  await deliver(now + FAILING_FOR_MS)
  expect(await endpointOf(tenantId)).toMatchObject({ enabled: false, disabled_reason: 'failing' })
})

it('forgets that an endpoint was failing as soon as something gets through', async () => {
  const { tenantId, now } = await due((response, _request, nth) => {
    response.writeHead(nth === 2 ? 200 : 500).end()
  })
  await deliver(now)
  await deliver(now + MINUTE)
  expect(await endpointOf(tenantId)).toMatchObject({ failing_since: null })
  await enqueue(tenantId, now + FAILING_FOR_MS)
  await deliver(now + FAILING_FOR_MS)
  expect(await endpointOf(tenantId)).toMatchObject({ enabled: true })
})

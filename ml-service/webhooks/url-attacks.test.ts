import type { LookupAddress } from 'node:dns'
import { request } from 'undici'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { HOST_ATTACKS, URL_ATTACKS } from '../../telemetry/testing/url-attacks.ts'
import { startReceiver } from '../testing/webhook-receiver.ts'
import { guardedAgent, type Resolve } from './guarded-agent.ts'
import { webhookPoster } from './webhook-poster.ts'

/** Where names lead, one answer a look-up; the last one stays. */
const ANSWERS: Record<string, string[][]> = {
  'inside.example': [['127.0.0.1']],
  'metadata.google.internal': [['169.254.169.254']],
  '127.0.0.1.nip.io': [['127.0.0.1']],
  'one-of-two.example': [['93.184.215.14', '10.0.0.1']],
  'mapped.example': [['::ffff:127.0.0.1']],
  'nat64.example': [['64:ff9b::a9fe:a9fe']],
  'nothing.example': [[]],
  'rebinding.example': [['93.184.215.14'], ['127.0.0.1']],
  'tame.example': [['127.0.0.1'], ['192.0.2.1']],
}
const looks = new Map<string, number>()

/** A resolver that changes its mind, as that of an attacker does. */
const resolve: Resolve = (hostname, _options, callback) => {
  const nth = looks.get(hostname) ?? 0
  looks.set(hostname, nth + 1)
  const answers = ANSWERS[hostname]
  if (!answers) return callback(new Error(`getaddrinfo ENOTFOUND ${hostname}`), [])
  const addresses = answers[Math.min(nth, answers.length - 1)]!
  callback(
    null,
    addresses.map((address): LookupAddress => ({ address, family: address.includes(':') ? 6 : 4 })),
  )
}

let receiver: Awaited<ReturnType<typeof startReceiver>>
const strict = webhookPoster(false, resolve)
const agent = guardedAgent({ allowPrivate: false, resolve })
beforeAll(async () => {
  receiver = await startReceiver()
})
afterEach(() => looks.clear())
afterAll(async () => {
  await Promise.all([strict.close(), agent.destroy(), receiver.stop()])
})

const post = (url: string) => strict.post(url, {}, '{}')
const http = (host: string) =>
  request(`http://${host}:${receiver.port}/`, { method: 'POST', dispatcher: agent, body: '{}' })

it('the list of attacks is long enough to be taken seriously', () => {
  expect(HOST_ATTACKS.length + URL_ATTACKS.length).toBeGreaterThanOrEqual(60)
})

it.each(HOST_ATTACKS)('https://%s/ is refused', async (host) => {
  expect(await post(`https://${host}:${receiver.port}/`)).toMatchObject({
    status: null,
    error: expect.stringMatching(/is not a public address$/),
  })
})

it.each(HOST_ATTACKS)('the agent itself does not connect to %s', async (host) => {
  await expect(http(host)).rejects.toThrow(/is not a public address$/)
})

it.each(URL_ATTACKS)('%j is refused', async (url) => {
  expect(await post(url)).toMatchObject({ status: null, error: expect.any(String) })
})

it.each(Object.keys(ANSWERS).filter((name) => !/^(rebinding|nothing)/.test(name)))(
  'the agent does not connect to where %s leads',
  async (name) => {
    await expect(http(name)).rejects.toThrow(/leads to .*, which is not public$/)
    expect(await post(`https://${name}/`)).toMatchObject({
      status: null,
      error: expect.stringMatching(/not public$/),
    })
  },
)

it.each(['localhost', 'LOCALHOST', 'localhost.', 'api.localhost'])(
  '%s is refused without asking anybody',
  async (name) => {
    const system = guardedAgent({ allowPrivate: false })
    const call = request(`http://${name}:${receiver.port}/`, {
      method: 'POST',
      dispatcher: system,
      body: '{}',
    })
    await expect(call).rejects.toThrow(/is this machine, which is not public$/)
    await system.destroy()
  },
)

it('a name that was harmless when somebody looked is refused when it leads inside at the connection', async () => {
  resolve('rebinding.example', { all: true }, (_error, [first]) =>
    expect(first?.address).toBe('93.184.215.14'),
  )
  await expect(http('rebinding.example')).rejects.toThrow('rebinding.example leads to 127.0.0.1')
})

it('a name is looked up once a connection, so that there is no second answer to connect to', async () => {
  const lenient = guardedAgent({ allowPrivate: true, resolve })
  const url = `http://tame.example:${receiver.port}/`
  const answer = await request(url, { method: 'POST', dispatcher: lenient, body: '{}' })
  await answer.body.dump()
  expect([answer.statusCode, looks.get('tame.example')]).toEqual([204, 1])
  await lenient.destroy()
})

it('a name that the system’s own look-up does not find is an error like any other', async () => {
  // As node:dns does: with nothing in the place of addresses.
  const failing: Resolve = (_name, _options, callback) =>
    Reflect.apply(callback, undefined, [new Error('ENOTFOUND')])
  for (const allowPrivate of [true, false]) {
    const asking = guardedAgent({ allowPrivate, resolve: failing })
    const call = request('http://unknown.example/', { method: 'POST', dispatcher: asking, body: '{}' })
    await expect(call).rejects.toThrow('ENOTFOUND')
    await asking.destroy()
  }
})

it('a name without an address is refused', async () => {
  await expect(http('nothing.example')).rejects.toThrow('nothing.example has no address')
})

it('none of the attacks has opened a connection to the receiver', () => {
  expect(receiver.received).toHaveLength(1) // of the one that is allowed to
  expect(receiver.connections).toBe(1)
})

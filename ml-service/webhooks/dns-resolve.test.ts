import { Resolver } from 'node:dns/promises'
import { request } from 'undici'
import { afterEach, expect, it } from 'vitest'
import { type Question, startNameServer } from '../testing/name-server.ts'
import { startReceiver } from '../testing/webhook-receiver.ts'
import { dnsResolve } from './dns-resolve.ts'
import { guardedAgent } from './guarded-agent.ts'

const LOOPBACK = [127, 0, 0, 1]
const PUBLIC = [93, 184, 215, 14]
const MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 10, 0, 0, 1]

const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

/** A resolver and agent that ask a name server of the test's own, and a receiver on loopback. */
async function asking(answer: (question: Question) => number[][] | undefined, allowPrivate = false) {
  const [server, receiver] = [await startNameServer(answer), await startReceiver()]
  const resolver = new Resolver({ timeout: 150, tries: 1 })
  resolver.setServers([server.address])
  const resolve = dnsResolve(resolver)
  const agent = guardedAgent({ allowPrivate, resolve })
  closers.push(server.stop, receiver.stop, () => agent.destroy())
  const post = (name: string) =>
    request(`http://${name}:${receiver.port}/`, { method: 'POST', dispatcher: agent, body: '{}' })
  return { receiver, resolve, post }
}

const onlyA =
  (...addresses: number[][]) =>
  ({ type }: Question) =>
    type === 'A' ? addresses : []

it('a name that led outside when somebody looked, and leads inside at the connection, is refused', async () => {
  let looks = 0
  const { receiver, resolve, post } = await asking(({ type }) => {
    if (type === 'AAAA') return []
    looks += 1
    return [looks === 1 ? PUBLIC : LOOPBACK]
  })
  const before = await new Promise((found) =>
    resolve('rebinding.example', { all: true }, (_, all) => found(all)),
  )
  expect(before).toEqual([{ address: '93.184.215.14', family: 4 }])
  await expect(post('rebinding.example')).rejects.toThrow('leads to 127.0.0.1, which is not public')
  expect([looks, receiver.connections]).toEqual([2, 0])
})

it.each([
  ['one of its addresses', onlyA(PUBLIC, LOOPBACK)],
  ['an IPv4 address within an IPv6 one', ({ type }: Question) => (type === 'A' ? [PUBLIC] : [MAPPED])],
])('a name is refused for %s', async (_, answer) => {
  const { receiver, post } = await asking(answer)
  await expect(post('mixed.example')).rejects.toThrow(/which is not public$/)
  expect(receiver.connections).toBe(0)
})

it('a name is asked for once a connection, and connected to where it led', async () => {
  const asked: string[] = []
  const { receiver, post } = await asking(({ name, type }) => {
    asked.push(`${name} ${type}`)
    return type === 'A' ? [LOOPBACK] : []
  }, true)
  const { statusCode, body } = await post('tame.example')
  await body.dump()
  expect([statusCode, receiver.connections]).toEqual([204, 1])
  expect(asked.sort()).toEqual(['tame.example A', 'tame.example AAAA'])
})

it('name servers that keep silent hold up only who asks them', async () => {
  const { post } = await asking(({ name }) => (name === 'silent.example' ? undefined : []))
  const silent = Array.from({ length: 16 }, () => post('silent.example'))
  await expect(post('empty.example')).rejects.toThrow(/ENODATA|ENOTFOUND/)
  for (const failed of silent) await expect(failed).rejects.toThrow(/ETIMEOUT|ECONNREFUSED|timeout/i)
})

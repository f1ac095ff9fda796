import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import type { BatchMessage } from '../consumer/load-batch.ts'
import { Announcer } from './announcer.ts'

beforeEach(() => {
  vi.useFakeTimers()
  vi.spyOn(console, 'warn').mockReturnValue(undefined)
})
afterEach(() => {
  vi.restoreAllMocks()
  vi.useRealTimers()
})

const messageOf = (batch_id: string): BatchMessage => {
  return { tenant_id: 't', batch_id, r2_key: `raw/t/${batch_id}` }
}

/** A queue that answers each call when the test says so; what requests leave running is kept. */
function setUp() {
  const announcer = new Announcer()
  const calls: string[][] = []
  const answers: PromiseWithResolvers<void>[] = []
  const left: Promise<void>[] = []
  const call = (messages: BatchMessage[]) => {
    calls.push(messages.map(({ batch_id }) => batch_id))
    answers.push(Promise.withResolvers())
    return answers.at(-1)!.promise
  }
  const queue = {
    send: (message: BatchMessage) => call([message]),
    sendBatch: (list: Iterable<{ body: BatchMessage }>) => call(Array.from(list, ({ body }) => body)),
  }
  const deps = { queue, now: Date.now, waitUntil: (work: Promise<void>) => left.push(work) }
  return { calls, left, answers, announce: (id: string) => announcer.announce(messageOf(id), deps) }
}

it('sends the message of a batch that comes alone at once, and waits for the queue', async () => {
  const { calls, left, answers, announce } = setUp()
  for (const id of ['a', 'b']) {
    const announced = vi.fn()
    const announcing = announce(id).then(announced)
    await vi.advanceTimersByTimeAsync(10)
    expect(announced).not.toHaveBeenCalled()
    answers.at(-1)!.resolve()
    await announcing
  }
  expect(calls).toEqual([['a'], ['b']])
  expect(left).toEqual([])
})

it('takes along, in one call, what comes in while it is sending and a moment after, and nobody waits', async () => {
  const { calls, left, answers, announce } = setUp()
  const first = announce('a')
  await announce('b')
  answers[0]!.resolve()
  await first
  expect(left).toHaveLength(1)
  await vi.advanceTimersByTimeAsync(49)
  await announce('c')
  expect(calls).toEqual([['a']])
  await vi.advanceTimersByTimeAsync(1)
  expect(calls).toEqual([['a'], ['b', 'c']])
  answers[1]!.resolve()
  await left[0]
})

it('lets the next request send again while a call for many is under way', async () => {
  const { calls, answers, announce } = setUp()
  const first = announce('a')
  await announce('b')
  answers[0]!.resolve()
  await first
  await vi.advanceTimersByTimeAsync(50)
  announce('c')
  expect(calls).toEqual([['a'], ['b'], ['c']])
})

it('sends every message once, whatever the queue refuses or never answers', async () => {
  const { calls, left, answers, announce } = setUp()
  const ids = Array.from({ length: 300 }, (_, i) => `b-${i}`)
  const announcing = ids.map(async (id, i) => {
    await vi.advanceTimersByTimeAsync(i % 7)
    answers.splice(0).forEach((answer, k) => {
      if (k % 3 === 0) answer.reject(new Error('the queue is away'))
      else if (k % 3 === 1) answer.resolve()
    })
    await announce(id)
  })
  await vi.advanceTimersByTimeAsync(60_000)
  await Promise.all([...announcing, ...left])
  expect(calls.flat().sort()).toEqual(ids.sort())
  expect(Math.max(...calls.map((call) => call.length))).toBeLessThanOrEqual(100)
})

it('does not let more wait than a queue takes in one call, and makes no call for nothing', async () => {
  const { calls, answers, announce } = setUp()
  for (let i = 0; i < 102; i += 1) announce(`b-${i}`)
  expect(calls).toEqual([['b-0'], ['b-101']])
  for (const answer of answers) answer.resolve()
  await vi.advanceTimersByTimeAsync(50)
  expect(calls.map((call) => call.length)).toEqual([1, 1, 100])
})

it('goes on when the request that takes messages along is not heard of any more', async () => {
  const { calls, left, answers, announce } = setUp()
  announce('dropped')
  await announce('stranded')
  vi.setSystemTime(Date.now() + 5_000) // its timers are gone with it
  const next = announce('next')
  answers[1]!.resolve()
  await next
  await vi.advanceTimersByTimeAsync(50)
  expect(left).toHaveLength(1)
  expect(calls).toEqual([['dropped'], ['next'], ['stranded']])
})

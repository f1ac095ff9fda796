import { Hono } from 'hono'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { AppEnv } from './app-env.ts'
import { Problem } from './problem.ts'
import { remainingMs, requestDeadline, withinDeadline } from './within-deadline.ts'

beforeEach(() => {
  vi.useFakeTimers()
})

afterEach(() => {
  vi.useRealTimers()
})

const never = () => new Promise<never>(() => {})

/** What a request that does `work` answers, and after how long. */
async function request(work: () => Promise<unknown>): Promise<{ answer: string; ms: number }> {
  const app = new Hono<AppEnv>()
  app.use(requestDeadline)
  app.get('/', async (c) => c.text(String(await work())))
  app.onError((error, c) => c.text(error instanceof Problem ? error.code : error.message))
  const start = Date.now()
  let ms = 0
  const answer = Promise.resolve(app.request('/')).then((response) => {
    ms = Date.now() - start
    return response.text()
  })
  await vi.advanceTimersByTimeAsync(120_000)
  return { answer: await answer, ms }
}

const ignore = (work: Promise<unknown>) => work.catch(() => {})
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

test('one wait that does not end is a 503 after 8 s', async () => {
  expect(await request(() => withinDeadline(never()))).toEqual({ answer: 'unavailable', ms: 8_000 })
})

test('several waits of one request share its deadline instead of adding up', async () => {
  const several = async () => {
    await withinDeadline(pause(3_000))
    await ignore(withinDeadline(never(), 2_000))
    await ignore(withinDeadline(never()))
    await withinDeadline(never())
  }
  const { answer, ms } = await request(several)
  expect(answer).toBe('unavailable')
  expect(ms).toBeLessThan(8_010)
})

test('the time that a sender takes for its body does not count', async () => {
  const slow = async () => {
    await pause(60_000)
    return withinDeadline(pause(7_000).then(() => 'done'))
  }
  expect(await request(slow)).toEqual({ answer: 'done', ms: 67_000 })
})

test('a wait that is stated to be longer than a request’s gets its time', async () => {
  const long = () =>
    withinDeadline(
      pause(30_000).then(() => 'sealed'),
      60_000,
    )
  expect(await request(long)).toEqual({ answer: 'sealed', ms: 30_000 })
})

test('a statement late in a request has what is left of it', async () => {
  const late = async () => {
    const first = remainingMs(6_000)
    await withinDeadline(pause(5_000))
    return [first, remainingMs(6_000)]
  }
  expect((await request(late)).answer).toBe('6000,3000')
  expect(remainingMs(6_000)).toBe(6_000)
})

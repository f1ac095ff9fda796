import { NeonDbError } from '@neondatabase/serverless'
import { expect, test, vi } from 'vitest'
import { BatchRefusal } from '../../telemetry/batch-refusal.ts'
import { PoisonError, persist, reasonOf, retryLater, settleFailure } from './settle-failure.ts'

const LATE = 9

/** What becomes of a message that fails with `error`. */
function settled(error: unknown, attempts: number) {
  const message = { id: 'm', timestamp: new Date(), body: {}, attempts, ack: vi.fn(), retry: vi.fn() }
  const logs = (['warn', 'error'] as const).map((level) =>
    vi.spyOn(console, level).mockImplementation(() => {}),
  )
  settleFailure(message, error, {})
  for (const spy of logs) spy.mockRestore()
  return message.ack.mock.calls.length > 0 ? 'let go' : 'retried'
}

test.each([
  ['a message at fault', new PoisonError('no')],
  ['an archived batch that does not parse', new BatchRefusal('invalid_json', 'no')],
  ['a bug of ours', new TypeError('x is undefined')],
  ['rows that Postgres refuses', Object.assign(new NeonDbError('no'), { code: '21000' })],
  ['a body that is too large', new NeonDbError('Server error (HTTP status 413): too large')],
])('%s is tried until the queue gives up and keeps it as a dead letter', (_, error) => {
  expect([settled(error, 1), settled(error, LATE)]).toEqual(['retried', 'retried'])
})

test.each([
  ['Postgres that is away', new NeonDbError('Error connecting to database')],
  ['a lost compute', Object.assign(new NeonDbError('lost'), { code: '' })],
  ['an object that restarts', new Error('Durable Object reset')],
])('after %s a message is let go in the end: the shard sends it again', (_, error) => {
  expect([settled(error, 1), settled(error, LATE)]).toEqual(['retried', 'let go'])
})

test('each wait is twice the one before, up to five minutes, and by up to a quarter less', () => {
  for (let attempts = 1; attempts <= 11; attempts += 1) {
    const retry = vi.fn<(options: { delaySeconds: number }) => void>()
    retryLater({ id: 'm', timestamp: new Date(), body: {}, attempts, ack: vi.fn(), retry })
    const { delaySeconds } = retry.mock.calls[0]![0]
    const full = Math.min(300, 5 * 2 ** (attempts - 1))
    expect(delaySeconds).toBeGreaterThanOrEqual(0.75 * full)
    expect(delaySeconds).toBeLessThanOrEqual(full)
  }
})

test('the reason of a failure is what was wrong and what Postgres said', () => {
  const cause = new NeonDbError('value out of range')
  expect(reasonOf(new PoisonError('Postgres refused the rows', { cause }))).toBe(
    'Postgres refused the rows: value out of range',
  )
  expect(reasonOf(new PoisonError('the shard never accepted the batch'))).toBe(
    'the shard never accepted the batch',
  )
  expect(reasonOf(new TypeError('x is undefined'))).toBe('TypeError: x is undefined')
})

test('persist makes poison of what will not pass, a bug included, and of nothing else', async () => {
  const bug = () => {
    throw new RangeError('Invalid time value')
  }
  await expect(persist(async () => bug())).rejects.toBeInstanceOf(PoisonError)
  const lost = Object.assign(new NeonDbError('lost'), { code: '' })
  await expect(persist(() => Promise.reject(lost))).rejects.toBe(lost)
})

import { describe, expect, it, vi } from 'vitest'
import { retryOnce } from './retry-once.ts'

const failing = (marks: object) => Object.assign(new Error('failed'), marks)

describe('retryOnce', () => {
  it('makes the call again when it failed for a reason that passes', async () => {
    const call = vi
      .fn()
      .mockRejectedValueOnce(failing({ retryable: true }))
      .mockResolvedValue('done')
    expect(await retryOnce(call, () => 0)).toBe('done')
    expect(call).toHaveBeenCalledTimes(2)
  })

  it.each([
    ['the object is overloaded', failing({ retryable: true, overloaded: true })],
    ['the failure is not marked', failing({})],
    ['the failure is no object at all', 'failed'],
  ])('does not when %s', async (_, error) => {
    const call = vi.fn().mockRejectedValue(error)
    await expect(retryOnce(call, () => 0)).rejects.toBe(error)
    expect(call).toHaveBeenCalledTimes(1)
  })

  it('gives up after the second failure', async () => {
    const call = vi.fn().mockRejectedValue(failing({ retryable: true }))
    await expect(retryOnce(call, () => 0)).rejects.toThrow('failed')
    expect(call).toHaveBeenCalledTimes(2)
  })
})

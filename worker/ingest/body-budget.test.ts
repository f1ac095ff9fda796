import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BodyBudget, BUDGET_BYTES, costOf, SMALL_SHARE_BYTES } from './body-budget.ts'
import { MAX_INFLATED_BYTES, MAX_WIRE_BYTES } from './read-body.ts'

const MIB = 1024 * 1024
const LARGE_BYTES = BUDGET_BYTES - SMALL_SHARE_BYTES

describe('costOf', () => {
  it.each([
    ['nothing yet', 0, 0, 0],
    ['a small body: itself twice and its columns', 1000, 0, 7 * 1000],
    ['the largest body: its columns are bounded', 8 * MIB, 0, 2 * 8 * MIB + 5 * MIB],
    ['a compressed one before it is inflated', 1000, 0, 7 * 1000],
    ['and after', 1000, 10_000, 1000 + 7 * 10_000],
    ['one that shrinks when it is inflated', 1000, 10, 1000 + 7 * 1000],
  ])('of %s', (_, wire, inflated, cost) => {
    expect(costOf(wire, inflated)).toBe(cost)
  })

  it('lets the largest compressed body in when nothing else is', () => {
    const budget = new BodyBudget()
    expect(budget.grow(budget.open(0), costOf(MAX_WIRE_BYTES, MAX_INFLATED_BYTES), 0)).toBe(true)
  })
})

describe('BodyBudget', () => {
  it('lets in what fits, refuses what does not, and lets it in once something is closed', () => {
    const budget = new BodyBudget()
    const [first, second] = [budget.open(0), budget.open(0)]
    expect(budget.grow(first, LARGE_BYTES - MIB, 0)).toBe(true)
    expect(budget.grow(second, MIB + 1, 0)).toBe(false)
    expect(budget.grow(second, MIB, 0)).toBe(true)
    expect(budget.heldBytes).toBe(LARGE_BYTES)
    budget.close(first)
    expect(budget.grow(second, MIB + 1, 0)).toBe(true)
    expect(budget.heldBytes).toBe(MIB + 1)
  })

  it('counts a lease once however often it grows, and leaves what it had when it may not', () => {
    const budget = new BodyBudget()
    const lease = budget.open(0)
    for (const bytes of [MIB, 2 * MIB, MIB, 2 * MIB]) expect(budget.grow(lease, bytes, 0)).toBe(true)
    expect(budget.grow(lease, LARGE_BYTES + 1, 0)).toBe(false)
    expect(budget.heldBytes).toBe(2 * MIB)
    budget.close(lease)
    budget.close(lease)
    expect(budget.heldBytes).toBe(0)
  })

  it('keeps a share for small bodies that large ones cannot take', () => {
    const budget = new BodyBudget()
    expect(budget.grow(budget.open(0), LARGE_BYTES, 0)).toBe(true)
    expect(budget.grow(budget.open(0), MIB, 0)).toBe(false)
    const small = Array.from({ length: 40 }, () => budget.grow(budget.open(0), costOf(30_000, 0), 0))
    expect(small.filter(Boolean)).toHaveLength(Math.floor(SMALL_SHARE_BYTES / costOf(30_000, 0)))
  })

  it('takes back what a request that ended without a word has held, but not what one has just touched', () => {
    const budget = new BodyBudget()
    const [dead, slow, next] = [budget.open(0), budget.open(0), budget.open(0)]
    budget.grow(dead, LARGE_BYTES - MIB, 0)
    budget.grow(slow, MIB / 2, 0)
    budget.grow(slow, MIB / 2, 50_000)
    expect(budget.grow(next, MIB, 60_000)).toBe(false)
    expect(budget.grow(next, MIB, 60_001)).toBe(true)
    expect(budget.heldBytes).toBe(MIB / 2 + MIB)
    // It was alive after all.
    expect(budget.grow(dead, MIB, 60_002)).toBe(true)
    for (const lease of [dead, slow, next]) budget.close(lease)
    expect(budget.heldBytes).toBe(0)
  })

  it('gives nothing to a lease that was closed, such as to a read that was given up and goes on', () => {
    const budget = new BodyBudget()
    const lease = budget.open(0)
    budget.close(lease)
    expect(budget.grow(lease, 1, 0)).toBe(false)
    expect(budget.heldBytes).toBe(0)
  })

  it('sends those it refuses away for as long as all of them will take, each for another part of it', () => {
    const budget = new BodyBudget()
    const retryAfter = (now: number, random: number) => budget.retryAfterSeconds(now, () => random)
    expect(retryAfter(0, 0)).toBe(1)
    expect(retryAfter(0, 0.999)).toBe(2)
    for (let i = 0; i < 37; i += 1) retryAfter(0, 0)
    expect(retryAfter(0, 0.999)).toBe(21)
    expect(retryAfter(0, 0.5)).toBe(11)
    for (let i = 0; i < 100; i += 1) retryAfter(0, 0)
    expect(retryAfter(0, 0.999)).toBe(30)
    expect(retryAfter(600_000, 0.999)).toBe(2)
  })

  it('never holds more than the budget nor loses count, whatever comes in which order', () => {
    const step = fc.record({
      lease: fc.nat(9),
      bytes: fc.oneof(fc.nat(MIB), fc.nat(BUDGET_BYTES)),
      closes: fc.boolean(),
      waitMs: fc.nat(40_000),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const budget = new BodyBudget()
        const leases = Array.from({ length: 10 }, () => budget.open(0))
        let now = 0
        for (const { lease: i, bytes, closes, waitMs } of steps) {
          now += waitMs
          if (closes) {
            budget.close(leases[i]!)
            leases[i] = budget.open(now)
          } else budget.grow(leases[i]!, bytes, now)
          expect(budget.heldBytes).toBe(leases.reduce((sum, lease) => sum + lease.bytes, 0))
          expect(budget.heldBytes).toBeLessThanOrEqual(BUDGET_BYTES)
        }
      }),
    )
  })
})

import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { RuleFields } from '../api/alerting-api.ts'
import { fieldsOf, typedOf } from './typed-rule.ts'

const rule = fc.record({
  ...{ name: fc.string(), metric_id: fc.constant(null), enabled: fc.boolean() },
  threshold: fc.double({ min: 0.01, max: 100, noNaN: true }),
  for_windows: fc.integer({ min: 1, max: 1000 }),
  resolve_windows: fc.integer({ min: 1, max: 1000 }),
  cooldown_seconds: fc.integer({ min: 0, max: 31_536_000 }),
  direction: fc.constantFrom<RuleFields['direction']>('above', 'below', 'both'),
  min_deviation: fc.double({ min: 0, max: 1e6, noNaN: true }),
  min_deviation_relative: fc.integer({ min: 0, max: 100_000 }).map((n) => n / 10_000),
  max_age_seconds: fc.integer({ min: 0, max: 31_536_000 }),
})

it('a rule that is opened and saved unchanged stays as it was', () => {
  fc.assert(
    fc.property(rule, (given) => {
      expect(fieldsOf(typedOf(given), undefined, given.enabled)).toEqual(given)
    }),
  )
})

it('a share is typed as a percentage, without the dust of binary fractions', () => {
  const [given] = fc.sample(rule, 1)
  const typed = typedOf({ ...given!, min_deviation_relative: 0.07 })
  expect(typed.leastPercent).toBe('7')
  expect(fieldsOf({ ...typed, leastPercent: '0.7' }, undefined, true).min_deviation_relative).toBe(0.007)
})

it.each(['', ' ', '1e', '1,5'])('%j is no number yet', (text) => {
  const [given] = fc.sample(rule, 1)
  expect(fieldsOf({ ...typedOf(given!), leastDeviation: text }, undefined, true).min_deviation).toBeNaN()
})

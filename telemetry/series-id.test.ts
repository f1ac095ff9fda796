import fc from 'fast-check'
import { expect, test } from 'vitest'
import { deviceIdOf, metricIdOf } from './series-id.ts'

const TENANT = '0198c1b2-0000-7000-8000-000000000001'
const UUID_V8 = /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
/** Names as the contract allows them: no control characters. */
const name = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 128 })
  .filter((text) => !/\p{Cc}/u.test(text))

test('ids are UUIDs of version 8, whatever the names', () => {
  fc.assert(
    fc.property(name, name, (device, metric) => {
      expect(deviceIdOf(TENANT, device)).toMatch(UUID_V8)
      expect(metricIdOf(TENANT, device, metric)).toMatch(UUID_V8)
    }),
  )
})

// Rows in databases and archives carry these ids: a change of the derivation would orphan all of them.
test('ids never change', () => {
  expect(deviceIdOf(TENANT, 'pump-7')).toBe('705dd052-1301-85a3-ae3e-29f94704b4a2')
  expect(metricIdOf(TENANT, 'pump-7', 'temperature')).toBe('829cdddd-f028-830c-a717-b2fb83979666')
  expect(metricIdOf(TENANT, 'Pumpe Süd', '温度')).toBe('f4398b34-6d6a-8c70-a940-5653a5aea96e')
})

test('other names have other ids', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.tuple(name, name), { maxLength: 20, selector: String }), (pairs) => {
      const distinct = new Set(pairs.map((pair) => JSON.stringify(pair)))
      expect(new Set(pairs.map(([device, metric]) => metricIdOf(TENANT, device, metric))).size).toBe(
        distinct.size,
      )
    }),
  )
})

test('where the device ends and the metric starts makes a difference', () => {
  expect(metricIdOf(TENANT, 'ab', 'c')).not.toBe(metricIdOf(TENANT, 'a', 'bc'))
})

test('the same names of two tenants have two ids', () => {
  const other = TENANT.replace(/1$/, '2')
  expect(deviceIdOf(TENANT, 'pump-7')).not.toBe(deviceIdOf(other, 'pump-7'))
  expect(metricIdOf(TENANT, 'pump-7', 'm')).not.toBe(metricIdOf(other, 'pump-7', 'm'))
})

test('a device never has the id of a metric', () => {
  expect(deviceIdOf(TENANT, 'pump-7')).not.toBe(metricIdOf(TENANT, 'pump-7', ''))
})

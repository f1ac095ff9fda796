import { expect, it } from 'vitest'
import { request } from './testing/tenant.ts'

it.each([
  ['an answer', '/v1/health', 200],
  ['a refusal', '/v1/devices', 401],
  ['an address that is not there', '/v1/nothing', 404],
])('keeps %s from being guessed at and from being kept', async (_, path, status) => {
  const answer = await request(path)
  const { headers } = answer
  expect([answer.status, headers.get('x-content-type-options'), headers.get('cache-control')]).toEqual([
    ...[status, 'nosniff', 'no-store'],
  ])
})

it('lets the API’s description say itself how long it may be kept', async () => {
  const { headers } = await request('/v1/openapi.json')
  expect(headers.get('cache-control')).not.toBe('no-store')
  expect(headers.get('x-content-type-options')).toBe('nosniff')
})

import { createExecutionContext } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { expect, it } from 'vitest'
import { app } from './app.ts'
import { createTenant } from './testing/tenant.ts'

const another = { API_KEY_MAC_SECRET: 'another' }

it.each([
  ['its own secret', {}, 200],
  ['another', another, 401],
  ['another, with nothing before it', { ...another, API_KEY_MAC_SECRET_PREVIOUS: '' }, 401],
  ['the one after its own', { ...another, API_KEY_MAC_SECRET_PREVIOUS: env.API_KEY_MAC_SECRET }, 200],
  ['none', { API_KEY_MAC_SECRET: '' }, 401],
])('a key meets %s', async (_, secrets, status) => {
  const { key } = await createTenant()
  const asked = { headers: { 'x-api-key': key } }
  const answer = await app.request('/v1/devices', asked, { ...env, ...secrets }, createExecutionContext())
  expect(answer.status).toBe(status)
})

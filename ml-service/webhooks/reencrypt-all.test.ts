import { randomBytes } from 'node:crypto'
import { expect, it } from 'vitest'
import { openSecret, sealSecret } from '../../telemetry/secret-box.ts'
import { webhookSecretOf } from '../../telemetry/signature.ts'
import { delivering, verify } from '../testing/delivering.ts'
import { runCli } from '../testing/run-cli.ts'
import { addEndpoint, SECRET_KEY } from '../testing/seed-alerting.ts'
import { reencryptAll } from './reencrypt-all.ts'

const { pool, databaseUrl, deliver, due, endpointOf } = delivering()
const NEW_KEY = randomBytes(32).toString('base64')

it('seals every secret with the new key, the old one of a rotation too, after which the new key suffices', async () => {
  const { receiver, tenantId, endpoint, now } = await due()
  const previous = webhookSecretOf(randomBytes(24))
  const context = `${tenantId}/${endpoint.id}`
  const sealed = await sealSecret(previous, SECRET_KEY, context)
  const stored = [{ secret: sealed, expires_at: new Date(now + 1000).toISOString() }]
  await pool().query('update webhook_endpoints set previous_secrets = $1', [JSON.stringify(stored)])
  expect(await reencryptAll(pool(), [NEW_KEY, SECRET_KEY])).toEqual({ sealed: 1, kept: 0, failed: 0 })
  const row = await endpointOf(tenantId)
  await expect(openSecret(row.secret, [SECRET_KEY], context)).rejects.toThrow()
  expect(row.previous_secrets).toMatchObject([{ expires_at: stored[0]!.expires_at }])
  expect(await openSecret(row.previous_secrets[0].secret, [NEW_KEY], context)).toBe(previous)
  await deliver(now, { webhookSecretKeys: [NEW_KEY] })
  for (const secret of [endpoint.secret, previous]) expect(verify(secret, receiver.received[0]!)).toBeTruthy()
  expect(await reencryptAll(pool(), [NEW_KEY, SECRET_KEY])).toEqual({ sealed: 0, kept: 1, failed: 0 })
  expect(await endpointOf(tenantId)).toEqual(row)
})

it('leaves a secret that no key opens as it is, goes on with the others, and says so', async () => {
  const { tenantId, endpoint } = await due()
  await pool().query('update webhook_endpoints set secret = $1', [
    await sealSecret('whsec_x', randomBytes(32).toString('base64'), `${tenantId}/${endpoint.id}`),
  ])
  const before = (await endpointOf(tenantId)).secret
  await addEndpoint(pool(), tenantId, 'https://b.example/')
  const run = (keys: Record<string, string>) =>
    runCli(['reencrypt-secrets'], { DATABASE_URL: databaseUrl(), ...keys })
  const both = { WEBHOOK_SECRET_KEY: NEW_KEY, WEBHOOK_SECRET_KEY_PREVIOUS: SECRET_KEY }
  const { code, stdout, stderr } = await run(both)
  const told = '1 webhooks sealed again, 0 had the key already, 1 could not be opened\n'
  expect([code, stdout]).toEqual([1, told])
  expect(stderr).toContain(endpoint.id)
  expect(stderr).not.toContain(SECRET_KEY)
  expect((await endpointOf(tenantId)).secret).toBe(before)
  await pool().query('delete from webhook_endpoints where id = $1', [endpoint.id])
  expect((await run({ WEBHOOK_SECRET_KEY: NEW_KEY })).code).toBe(0)
})

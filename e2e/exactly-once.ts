import * as v from 'valibot'
import { expect } from 'vitest'
import { Api } from '../local/api.ts'
import { countStored } from '../local/demo/stored.ts'
import type { DevFile } from '../local/dev-file.ts'

export interface Tenant {
  tenantId: string
  /** May do everything. */
  key: string
  /** Calls with that key and waits passing faults out. */
  api: Api
}

/** What was accepted is what is stored, what usage counts, and what the windows hold; every closed one is scored. */
export async function expectExactlyOnce(
  file: DevFile,
  { api, tenantId }: Tenant,
  accepted: number,
): Promise<void> {
  const stored = () => countStored(file.database_url, tenantId)
  await expect
    .poll(stored, { timeout: 90_000, interval: 250 })
    .toMatchObject({ datapoints: accepted, wrongWindows: 0 })
  const isScored = async () => {
    const { scoredWindows, closedWindows } = await stored()
    return closedWindows > 0 && scoredWindows === closedWindows
  }
  await expect.poll(isScored, { timeout: 60_000, interval: 250 }).toBe(true)
  const { windowed, open } = await stored()
  expect(windowed + open).toBe(accepted)
  const day = (ms: number) => new Date(ms).toISOString().slice(0, 10)
  const usage = v.object({ total: v.object({ datapoints: v.number() }) })
  const range = `from=${day(Date.now() - 86_400_000)}&to=${day(Date.now())}`
  expect(await api.json(`/v1/usage?${range}`, usage)).toEqual({ total: { datapoints: accepted } })
}

export async function makeTenant(file: DevFile, name: string): Promise<Tenant> {
  const { url, admin_token } = file
  const admin = new Api({ url, token: admin_token })
  const id = v.object({ id: v.string() })
  const tenant = await admin.json('/admin/tenants', id, { method: 'POST', body: { name } })
  const key = await admin.json(`/admin/tenants/${tenant.id}/keys`, v.object({ key: v.string() }), {
    method: 'POST',
    body: { scopes: ['ingest', 'read', 'manage'] },
  })
  return { api: new Api({ url, token: key.key, patienceMs: 60_000 }), tenantId: tenant.id, key: key.key }
}

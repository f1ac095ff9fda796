import { afterEach, describe, expect, it, vi } from 'vitest'
import { TenantControl } from '../index.ts'
import { admin, createTenant } from '../testing/tenant.ts'

afterEach(() => vi.restoreAllMocks())

describe('a change of the retention that fails half-way', () => {
  it.each([
    ['longer', 30, 60, 60],
    ['shorter', 30, 7, 30],
  ])('to a %s one leaves Postgres keeping at least what the door lets in', async (_, from, to, kept) => {
    const tenant = await createTenant({ plan: { retention_days: from } })
    vi.spyOn(TenantControl.prototype, 'update').mockRejectedValue(new Error('the object is away'))
    expect((await admin('PATCH', `/tenants/${tenant.id}`, { retention_days: to })).status).toBe(503)
    expect(await (await admin('GET', `/tenants/${tenant.id}`)).json()).toMatchObject({ retention_days: kept })
    vi.restoreAllMocks()
    expect(
      await (await admin('PATCH', `/tenants/${tenant.id}`, { retention_days: to })).json(),
    ).toMatchObject({
      retention_days: to,
    })
  })
})

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

describe('a malformed key or tenant', () => {
  it('is told where it is wrong in the notation of all errors', async () => {
    const tenant = await createTenant()
    const pathsOf = async (path: string, body: unknown) => {
      const { errors } = await (await admin('POST', path, body)).json<{ errors: { path: string }[] }>()
      return errors.map((fault) => fault.path)
    }
    const scopes = ['read', 'root']
    expect(await pathsOf(`/tenants/${tenant.id}/keys`, { scopes })).toEqual(['scopes[1]'])
    const rate_limit = { datapoints_per_second: -1, batches_per_second: 1 }
    expect(await pathsOf('/tenants', { name: 'limited', rate_limit })).toEqual([
      'rate_limit.datapoints_per_second',
    ])
  })
})

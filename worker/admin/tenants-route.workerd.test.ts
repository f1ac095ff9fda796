import { afterEach, describe, expect, it, vi } from 'vitest'
import { TenantControl } from '../index.ts'
import { admin, createKey, createTenant } from '../testing/tenant.ts'

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

describe('the keys of a tenant', () => {
  it('come in pages, each key once, in the order of their creation', async () => {
    const tenant = await createTenant()
    const made = [tenant.keyId]
    for (let i = 0; i < 4; i += 1) made.push((await createKey(tenant.id, ['read'])).keyId)
    await admin('DELETE', `/tenants/${tenant.id}/keys/${made[1]}`)
    const listed: string[] = []
    let cursor: string | null = ''
    while (cursor !== null) {
      const after: string = cursor && `&cursor=${cursor}`
      const answer = await admin('GET', `/tenants/${tenant.id}/keys?limit=2${after}`)
      const found: { data: { id: string }[]; next_cursor: string | null } = await answer.json()
      expect(found.data.length).toBeLessThanOrEqual(2)
      listed.push(...found.data.map(({ id }) => id))
      cursor = found.next_cursor
    }
    expect(listed.toSorted()).toEqual(made.toSorted())
    const whole = await (await admin('GET', `/tenants/${tenant.id}/keys`)).json<{
      data: { created_at: string }[]
    }>()
    const times = whole.data.map(({ created_at }) => created_at)
    expect(times).toEqual(times.toSorted())
    expect((await admin('GET', `/tenants/${tenant.id}/keys?limit=0`)).status).toBe(400)
    expect((await admin('GET', `/tenants/${tenant.id}/keys?cursor=x`)).status).toBe(400)
  })
})

import { expect, it, vi } from 'vitest'
import { admin, createTenant, request } from '../testing/tenant.ts'

/** The lines of admin calls that `act` makes. */
async function linesOf(act: () => Promise<unknown>): Promise<string[]> {
  const info = vi.spyOn(console, 'info').mockReturnValue(undefined)
  await act()
  const lines = info.mock.calls.map(([line]) => String(line)).filter((line) => line.includes('admin_call'))
  info.mockRestore()
  return lines
}

it('logs who did what to which tenant and how it ended, without the key that was made', async () => {
  const { id } = await createTenant()
  let key = ''
  const lines = await linesOf(async () => {
    const answer = await admin('POST', `/tenants/${id}/keys`, { scopes: ['read'] })
    key = (await answer.json<{ key: string }>()).key
  })
  const about = {
    event: 'admin_call',
    tenant_id: id,
    trace_id: expect.any(String),
    method: 'POST',
    path: `/admin/tenants/${id}/keys`,
  }
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    { time: expect.any(String), level: 'info', service: 'edge', ...about, status: 201 },
  ])
  expect(key).toMatch(/^epk_/)
  expect(lines.join()).not.toContain(key)
})

it('logs calls that were refused, with the address they came from and without their token', async () => {
  const headers = { 'cf-connecting-ip': '203.0.113.9', authorization: 'Bearer guess-4711' }
  const lines = await linesOf(() => request('/admin/tenants', { headers }))
  expect(lines).toHaveLength(1)
  expect(JSON.parse(lines[0]!)).toMatchObject({ status: 401, address: '203.0.113.9', path: '/admin/tenants' })
  expect(lines[0]).not.toContain('4711')
})

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makePlace, type Place, type Run, run, untilReady } from './local-stack.ts'

let place: Place
let dev: Run
let url: string

beforeAll(async () => {
  place = await makePlace()
  dev = run('dev', place)
  url = (await untilReady(dev, place)).url
})
afterAll(async () => {
  dev.child.kill('SIGTERM')
  await dev.exited
  place.remove()
})

/** A command line beside the running stack: its exit code and what it printed. */
async function admin(...args: string[]): Promise<[number | null, string]> {
  const command = run('admin', place, args)
  return [await command.exited, command.output()]
}

const statusWith = async (key: string) => {
  const response = await fetch(`${url}/v1/devices`, { headers: { 'x-api-key': key } })
  return response.status
}

describe('npm run admin', () => {
  it('makes a tenant and a key that works until it is revoked', async () => {
    const [created, tenant] = await admin('tenant', 'create', 'acme')
    expect(created).toBe(0)
    expect(tenant).toMatch(/^[0-9a-f-]{36} {2}acme\n$/)
    expect(await admin('tenant', 'list')).toEqual([0, tenant])

    const [, made] = await admin('key', 'create', 'acme', '--scopes', 'read')
    const [, id = '', key = ''] = made.match(/([0-9a-f-]{36}) {2}read {2}(epk_\S+)/) ?? []
    expect(await statusWith(key)).toBe(200)
    expect(await admin('key', 'list', 'acme')).toEqual([0, `${id}  read\n`])
    expect(await admin('key', 'revoke', tenant.slice(0, 36), id)).toEqual([0, `revoked ${id}\n`])
    expect(await statusWith(key)).toBe(401)
  })

  it.each([
    [['tenant', 'create', 'acme'], 1, 'The API answered 409: '],
    [['key', 'create', 'nobody'], 1, 'There is no tenant "nobody".\n'],
    [['key', 'create', 'acme', '--scopes', 'root'], 1, 'The API answered 400: '],
    [['tenant', 'remove', 'acme'], 2, 'Usage: '],
    [['tenant', 'create'], 2, 'Usage: '],
    [['tenant', 'list', '--colour'], 2, 'Usage: '],
  ])('answers %o with code %i and a reason', async (args, code, beginning) => {
    const [exited, output] = await admin(...args)
    expect(exited).toBe(code)
    expect(output.startsWith(beginning), output).toBe(true)
  })
})

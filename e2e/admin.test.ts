import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { end, makePlace, type Place, type Run, run, untilReady } from './local-stack.ts'

let place: Place
let dev: Run
let url: string
let databaseUrl: string

beforeAll(async () => {
  place = await makePlace()
  dev = run('dev', place)
  const ready = await untilReady(dev, place)
  url = ready.url
  databaseUrl = ready.database_url
})
afterAll(() => end(dev, place))

/** A command line beside the running stack: its exit code and what it printed. */
async function admin(...args: string[]): Promise<[number | null, string]> {
  const command = run('admin', place, args)
  return [await command.exited, command.output()]
}

/** What only hours of failing make: letters of messages, whose ids are returned. */
async function insertLetters(tenantId: string, messages: unknown[]): Promise<string[]> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  const { rows } = await client.query<{ id: string }>(
    `insert into dead_letters (tenant_id, body, reason)
     select $1, body, 'for a test' from jsonb_array_elements($2::jsonb) as body returning id::text`,
    [tenantId, JSON.stringify(messages)],
  )
  await client.end()
  return rows.map(({ id }) => id)
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

  it('lists dead letters and sends them again, and says which cannot be', async () => {
    expect(await admin('dlq', 'list')).toEqual([0, ''])
    const [, tenant] = await admin('tenant', 'create', 'with letters')
    const tenantId = tenant.slice(0, 36)
    const flush = { tenant_id: tenantId, shard: 0, flush_id: 7 }
    const [first, second, garbage] = await insertLetters(tenantId, [flush, { ...flush, flush_id: 8 }, 'any'])

    const [listed, lines] = await admin('dlq', 'list', 'with letters')
    expect(listed).toBe(0)
    expect(lines.trim().split('\n')).toEqual([
      expect.stringMatching(new RegExp(`^${first}  .*Z  ${tenantId}  .*"flush_id":7.*  for a test$`)),
      expect.stringMatching(new RegExp(`^${second}  `)),
      expect.stringMatching(new RegExp(`^${garbage}  `)),
    ])
    expect(await admin('dlq', 'retry', first!)).toEqual([
      0,
      `${first}  cleared  It has been stored meanwhile.\n`,
    ])
    const [kept, rest] = await admin('dlq', 'retry', '--all')
    expect(kept).toBe(1)
    expect(rest).toMatch(new RegExp(`^${second}  cleared  .*\n${garbage}  kept  .*\n$`))
    expect((await admin('dlq', 'list', '--json'))[1]).toContain(`"id":"${garbage}"`)
    expect(await admin('dlq', 'retry', first!)).toEqual([1, expect.stringContaining('answered 404')])
  })

  it.each([
    [['dlq', 'retry'], 2, 'Usage: '],
    [['dlq', 'retry', '1', '--all'], 2, 'Usage: '],
    [['tenant', 'create', 'acme'], 1, 'The API answered 409: '],
    [['key', 'create', 'nobody'], 1, 'There is no tenant "nobody".\n'],
    [['key', 'create', 'acme', '--scopes', 'root'], 1, 'The API answered 400: '],
    [['tenant', 'remove', 'acme'], 2, 'Usage: '],
    [['tenant', 'create'], 2, 'Usage: '],
    [['tenant', 'list', '--colour'], 2, 'Usage: '],
    [['help'], 0, 'Usage: '],
    [['key', 'create', '--help'], 0, 'Usage: '],
  ])('answers %o with code %i and a reason', async (args, code, beginning) => {
    const [exited, output] = await admin(...args)
    expect(exited).toBe(code)
    expect(output.startsWith(beginning), output).toBe(true)
  })
})

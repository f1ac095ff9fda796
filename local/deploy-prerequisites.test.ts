import { expect, it } from 'vitest'
import { missingOf } from './deploy-prerequisites.ts'

const needed = { buckets: ['archive'], queues: ['batches', 'dlq'], secrets: ['ADMIN_TOKEN', 'DATABASE_URL'] }

/** An account that has what is named; every other question about a thing fails, as wrangler does. */
function accountWith(...things: string[]) {
  const asked: string[] = []
  const wrangler = async (...args: string[]) => {
    asked.push(args.join(' '))
    const secrets = things.filter((thing) => thing === thing.toUpperCase()).map((name) => ({ name }))
    if (args[0] === 'whoami') return { ok: true, stdout: `{"loggedIn":${things.includes('login')}}` }
    if (args[0] === 'secret') return { ok: true, stdout: JSON.stringify(secrets) }
    return { ok: things.includes(args.at(-1)!), stdout: '' }
  }
  return { asked, wrangler }
}

it('finds nothing missing where everything is there', async () => {
  const { wrangler } = accountWith('login', 'archive', 'batches', 'dlq', 'ADMIN_TOKEN', 'DATABASE_URL')
  expect(await missingOf(needed, wrangler, [])).toEqual([])
})

it('names all that is missing at once, each with the command that mends it', async () => {
  const { wrangler } = accountWith('login', 'batches', 'ADMIN_TOKEN')
  expect(await missingOf(needed, wrangler, ['--env', 'staging'])).toEqual([
    { what: 'the bucket archive', command: 'npx wrangler r2 bucket create archive' },
    { what: 'the queue dlq', command: 'npx wrangler queues create dlq' },
    { what: 'the secret DATABASE_URL', command: 'npx wrangler secret put DATABASE_URL --env staging' },
  ])
})

it('asks for a login first, and for nothing else without one', async () => {
  const { asked, wrangler } = accountWith()
  expect((await missingOf(needed, wrangler, [])).map(({ command }) => command)).toEqual([
    'npx wrangler login',
  ])
  expect(asked).toEqual(['whoami --json'])
})

import { createServer } from 'node:http'
import { NeonDbError, neonConfig } from '@neondatabase/serverless'
import { sql } from 'drizzle-orm'
import { DrizzleQueryError } from 'drizzle-orm/errors'
import * as v from 'valibot'
import { describe, expect, inject, it, test } from 'vitest'
import { connect, type DatabaseEnv, OPERATOR } from '../durable-objects/connect-database.ts'
import { tenants } from '../migrations/schema.ts'
import { db, isPassing, queryAs } from './database.ts'

function neonError(message: string, code?: string): NeonDbError {
  return Object.assign(new NeonDbError(message), { code })
}

function faultOf(work: () => unknown): Error {
  try {
    work()
  } catch (error) {
    if (error instanceof Error) return error
  }
  throw new Error('it did not fail')
}

const wrapped = (error: Error) => new DrizzleQueryError('select $1', ['value'], error)

describe('isPassing', () => {
  it.each([
    ['08006', true],
    ['25006', true],
    ['28P01', true],
    ['40P01', true],
    ['53300', true],
    ['55P03', true],
    ['57P01', true],
    ['58030', true],
    ['XX000', true],
    ['', true],
    ['21000', false],
    ['22P02', false],
    ['23505', false],
    ['25P02', false],
    ['42P01', false],
    ['XX001', false],
  ])('of SQLSTATE %j is %s, bare and as drizzle wraps it', (code, passing) => {
    expect(isPassing(neonError('refused', code))).toBe(passing)
    expect(isPassing(wrapped(neonError('refused', code)))).toBe(passing)
  })

  it.each([
    ['Error connecting to database: TypeError: fetch failed', true],
    ['Server error (HTTP status 500): gone', true],
    ['Server error (HTTP status 429): slow down', true],
    ['Server error (HTTP status 413): no', false],
    ['Server error (HTTP status 507): response is too large', false],
    ['Server error (HTTP status 500): request is larger than 10485760 bytes', false],
  ])('of %j without a code is %s', (message, passing) => {
    expect(isPassing(neonError(message))).toBe(passing)
  })

  it.each([
    [new TypeError('x is undefined'), false],
    [new RangeError('Invalid time value'), false],
    [faultOf(() => v.parse(v.string(), 1)), false],
    [new DOMException('The operation was aborted due to timeout', 'TimeoutError'), true],
    [new Error('Network connection lost.'), true],
  ])('of %s is %s', (error, passing) => {
    expect(isPassing(error)).toBe(passing)
    expect(isPassing(wrapped(error))).toBe(passing)
  })
})

describe('queryAs', () => {
  const { DATABASE_URL = '', NEON_PROXY_URL = '' } = inject('workerBindings')
  const run = (env: DatabaseEnv, text: string) => queryAs(env, OPERATOR, db.execute(sql.raw(text)))

  it('makes a passing failure a 503 and leaves a bug what it is', async () => {
    const away = { DATABASE_URL, NEON_PROXY_URL: 'http://127.0.0.1:1/sql' }
    await expect(run(away, 'select 1')).rejects.toMatchObject({ code: 'unavailable' })
    const there = { DATABASE_URL, NEON_PROXY_URL }
    await expect(run(there, 'select no_such_thing')).rejects.toMatchObject({ code: '42703' })
    expect((await run(there, 'select 1 as one')).rows).toEqual([{ one: 1 }])
  })
})

test('a statement that says nothing of whom it is for cannot run', async () => {
  await expect(db.select().from(tenants)).rejects.toMatchObject({ cause: expect.any(TypeError) })
})

describe('a database that does not answer', () => {
  it('is given up after the deadline of each call, which is a passing failure', async () => {
    const silent = createServer(() => {})
    const port = await new Promise<number>((resolve) => {
      silent.listen(0, '127.0.0.1', () => {
        const address = silent.address()
        resolve(typeof address === 'object' && address !== null ? address.port : 0)
      })
    })
    const endpoint = neonConfig.fetchEndpoint
    try {
      const env = {
        DATABASE_URL: 'postgresql://u:p@host.test/db',
        NEON_PROXY_URL: `http://127.0.0.1:${port}/sql`,
      }
      const neon = connect(env, () => 50)
      for (const call of [() => neon`select 1`, () => neon.transaction([neon`select 1`])]) {
        const fault: unknown = await call().catch((error: unknown) => error)
        expect([fault, isPassing(fault)]).toEqual([expect.any(Error), true])
      }
    } finally {
      neonConfig.fetchEndpoint = endpoint
      silent.closeAllConnections()
      silent.close()
    }
  })
})

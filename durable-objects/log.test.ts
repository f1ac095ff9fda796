import { NeonDbError } from '@neondatabase/serverless'
import { DrizzleQueryError } from 'drizzle-orm/errors'
import { expect, test } from 'vitest'
import { unavailable } from '../worker/problem.ts'
import { errorFields } from './log.ts'

const failed = new DrizzleQueryError('select $1', ['whsec_secret'], new NeonDbError('connection lost'))

test('an error of a query is logged without the statement and its values', () => {
  expect(errorFields(failed)).toEqual({ error: 'NeonDbError: connection lost' })
})

test('and so is one that is the cause of another', () => {
  const fields = errorFields(unavailable(failed))
  expect(fields.cause).toBe('NeonDbError: connection lost')
  expect(JSON.stringify(fields)).not.toContain('whsec_secret')
})

test('what is no error is logged as text', () => {
  expect(errorFields('odd')).toEqual({ error: 'odd' })
})

import type { Context } from 'hono'
import * as v from 'valibot'
import { isName } from '../../telemetry/name.ts'
import { isInstant, nearestInstant, parseTimestamp } from '../../telemetry/timestamp.ts'
import { Problem } from '../problem.ts'

const DAY_MS = 86_400_000
const MAX_RANGE_DAYS = 92
const MAX_LIMIT = 1000
const DEFAULT_LIMIT = 100
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

export function invalidParameter(name: string, rule: string): Problem {
  return new Problem('invalid_parameter', `The query parameter "${name}" ${rule}.`, {
    errors: [{ path: name, message: rule }],
  })
}

/** An id as the database takes it; undefined: it cannot be anybody's. */
export const uuidOf = (text: string | undefined) => (text !== undefined && UUID.test(text) ? text : undefined)

/** An id in the path; a malformed one does not exist, like any other unknown one. */
export function pathId(c: Context): string {
  const id = uuidOf(c.req.param('id'))
  if (id === undefined) throw notFound()
  return id
}

export const notFound = () => new Problem('not_found', 'There is nothing with this id; check it.')

export function limitOf(c: Context): number {
  const text = c.req.query('limit')
  if (text === undefined) return DEFAULT_LIMIT
  const limit = Number(text)
  if (!/^\d+$/.test(text) || limit < 1 || limit > MAX_LIMIT) {
    throw invalidParameter('limit', `must be an integer from 1 to ${MAX_LIMIT}`)
  }
  return limit
}

/** `from ≤ t < to`, at most 92 days; without them the last 24 hours. */
export function rangeOf(c: Context, now: number): { from: Date; to: Date } {
  const to = instantOf(c, 'to') ?? now
  const from = instantOf(c, 'from') ?? nearestInstant(to - DAY_MS)
  if (from > to) throw invalidParameter('from', 'must not be after "to"')
  if (to - from > MAX_RANGE_DAYS * DAY_MS) {
    throw invalidParameter('from', `must be at most ${MAX_RANGE_DAYS} days before "to"`)
  }
  return { from: new Date(from), to: new Date(to) }
}

function instantOf(c: Context, name: string): number | undefined {
  const text = c.req.query(name)
  if (text === undefined) return undefined
  const ms = parseTimestamp(text, 'ms')
  if (ms === undefined || !isInstant(ms)) {
    throw invalidParameter(name, 'must be ISO 8601 or epoch milliseconds, of the years 1 to 9999')
  }
  return ms
}

/** Where the page before ended, as `cursorText` wrote it; undefined on the first page. */
export function cursorOf<Schema extends v.GenericSchema>(
  c: Context,
  schema: Schema,
): v.InferOutput<Schema> | undefined {
  const text = c.req.query('cursor')
  if (text === undefined) return undefined
  try {
    return v.parse(schema, JSON.parse(Buffer.from(text, 'base64url').toString('utf8')))
  } catch {
    throw invalidParameter('cursor', 'must be the next_cursor of the page before')
  }
}

/**
 * One page of a list: of the rows read (one more than `limit` where there is more) the first `limit`, and the
 * cursor made from the last of these.
 */
export function page<Row, Item>(
  rows: Row[],
  limit: number,
  view: (row: Row) => Item,
  cursor: (row: Row) => unknown,
) {
  const shown = rows.slice(0, limit)
  const last = rows.length > limit ? shown.at(-1) : undefined
  return { data: shown.map(view), next_cursor: last === undefined ? null : cursorText(cursor(last)) }
}

export const cursorText = (cursor: unknown) => Buffer.from(JSON.stringify(cursor)).toString('base64url')

/** A cursor that is one instant, in epoch ms. */
export const InstantCursor = v.pipe(
  v.number(),
  v.check(isInstant),
  v.transform((ms) => new Date(ms)),
)

/** A cursor that is a name, of a device say. */
export const TextCursor = v.custom<string>(isName)

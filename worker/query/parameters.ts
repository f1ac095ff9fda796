import { type SQLWrapper, sql } from 'drizzle-orm'
import type { Context } from 'hono'
import * as v from 'valibot'
import { issuePath } from '../../telemetry/issue-path.ts'
import { isName, NAME_RULE } from '../../telemetry/name.ts'
import { isInstant, nearestInstant, parseTimestamp } from '../../telemetry/timestamp.ts'
import { Id } from '../openapi/fields.ts'
import { Problem } from '../problem.ts'

const DAY_MS = 86_400_000
const MAX_RANGE_DAYS = 92
const MAX_LIMIT = 1000
const DEFAULT_LIMIT = 100

export function invalidParameter(name: string, rule: string): Problem {
  return new Problem('invalid_parameter', `The query parameter "${name}" ${rule}.`, {
    errors: [{ path: name, message: rule }],
  })
}

export const notFound = () => new Problem('not_found', 'There is nothing with this id; check it.')

/** The query parameters as `schema` gives them; of one that is repeated the first counts. */
export function queryOf<Schema extends v.GenericSchema>(c: Context, schema: Schema): v.InferOutput<Schema> {
  const result = v.safeParse(schema, c.req.query())
  if (result.success) return result.output
  const [issue] = result.issues
  throw invalidParameter(issuePath(issue), issue.message)
}

/** The parts of the path as `schema` gives them; a malformed id does not exist, like any other unknown one. */
export function paramsOf<Schema extends v.GenericSchema>(c: Context, schema: Schema): v.InferOutput<Schema> {
  const result = v.safeParse(schema, c.req.param())
  if (result.success) return result.output
  throw notFound()
}

/** The path parameter of routes below one thing. */
export const idOf = (thing: string) => v.object({ id: v.pipe(Id, v.description(`The id of the ${thing}.`)) })

const LIMIT_RULE = `must be an integer from 1 to ${MAX_LIMIT}`

export const Limit = v.pipe(
  v.optional(v.string(), String(DEFAULT_LIMIT)),
  v.regex(/^\d+$/, LIMIT_RULE),
  v.transform(Number),
  v.number(LIMIT_RULE),
  v.integer(LIMIT_RULE),
  v.minValue(1, LIMIT_RULE),
  v.maxValue(MAX_LIMIT, LIMIT_RULE),
  v.metadata({ default: DEFAULT_LIMIT, description: 'The most rows that a page may have.' }),
)

const INSTANT_RULE = 'must be ISO 8601 or epoch milliseconds, of the years 1 to 9999'

export const instant = (description: string) =>
  v.optional(
    v.pipe(
      v.string(),
      v.transform((text) => parseTimestamp(text, 'ms')),
      v.number(INSTANT_RULE),
      v.check(isInstant, INSTANT_RULE),
      v.metadata({
        type: ['string', 'integer'],
        description,
        examples: ['2026-01-01T00:00:00Z', 1767225600000],
      }),
    ),
  )

/** The parameters of `rangeOf`. */
export const Range = v.object({
  from: instant('The first instant, ISO 8601 or epoch milliseconds; left out: 24 hours before `to`.'),
  to: instant(
    `The first instant that is too late, at most ${MAX_RANGE_DAYS} days after \`from\`; left out: now.`,
  ),
})

/** `from ≤ t < to`, at most 92 days; without them the last 24 hours. */
export function rangeOf(wanted: v.InferOutput<typeof Range>, now: number): { from: Date; to: Date } {
  const to = wanted.to ?? now
  const from = wanted.from ?? nearestInstant(to - DAY_MS)
  if (from > to) throw invalidParameter('from', 'must not be after "to"')
  if (to - from > MAX_RANGE_DAYS * DAY_MS) {
    throw invalidParameter('from', `must be at most ${MAX_RANGE_DAYS} days before "to"`)
  }
  return { from: new Date(from), to: new Date(to) }
}

/** A piece of a name to look for; undefined: any name will do. */
export const search = (description: string) =>
  v.optional(
    v.pipe(
      v.string(),
      v.check((text) => text === '' || isName(text), NAME_RULE),
      v.metadata({ description: `${description} Capital letters count as small ones.` }),
      v.transform((text) => text || undefined),
    ),
  )

/** Whether a name has `piece` in it. */
export const contains = (name: SQLWrapper, piece: string) =>
  sql`position(lower(${piece}) in lower(${name})) > 0`

const MAX_IDS = 100
const IDS_RULE = `must be at most ${MAX_IDS} ids with commas between them`

/** Ids to filter by; those that cannot be anybody's are left out, as they would find nothing. */
export const idsFilter = (description: string) =>
  v.optional(
    v.pipe(
      v.string(),
      v.transform((text) => text.split(',')),
      v.maxLength(MAX_IDS, IDS_RULE),
      v.metadata({
        type: 'string',
        description: `${description} At most ${MAX_IDS}, with commas between them.`,
      }),
      v.transform((ids) => ids.filter((id) => v.is(Id, id))),
    ),
  )

/** An id to filter by; null: one that cannot be anybody's, so that the list is empty. */
export const idFilter = (description: string) =>
  v.optional(
    v.pipe(
      v.string(),
      v.metadata({
        format: 'uuid',
        description: `${description} An id that is nobody’s gives an empty list.`,
      }),
      v.transform((text) => (v.is(Id, text) ? text : null)),
    ),
  )

/** Where the page before ended, as `cursorText` wrote it: `place` tells how; undefined on the first page. */
export const cursorOf = <Place>(place: v.GenericSchema<unknown, Place>) =>
  v.optional(
    v.pipe(
      v.string(),
      v.description('The `next_cursor` of the page before; left out: the first page.'),
      v.rawTransform<string, Place>(({ dataset, addIssue, NEVER }) => {
        const result = v.safeParse(place, decoded(dataset.value))
        if (result.success) return result.output
        addIssue({ message: 'must be the next_cursor of the page before' })
        return NEVER
      }),
    ),
  )

/** undefined, which is no place: it was not written by `cursorText`. */
function decoded(cursor: string): unknown {
  try {
    return JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'))
  } catch {
    return undefined
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

export const emptyPage = () => ({ data: [], next_cursor: null })

export const cursorText = (cursor: unknown) => Buffer.from(JSON.stringify(cursor)).toString('base64url')

/** A cursor that is one instant, in epoch ms. */
export const InstantCursor = v.pipe(
  v.number(),
  v.check(isInstant),
  v.transform((ms) => new Date(ms)),
)

/** A cursor that is a name, of a device say. */
export const TextCursor = v.custom<string>(isName)

/** A cursor of an instant and, among those of the same, an id. */
export const InstantAndIdCursor = v.tuple([InstantCursor, Id])

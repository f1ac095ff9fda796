import { Hono } from 'hono'
import * as v from 'valibot'
import { OPERATOR } from '../../durable-objects/connect-database.ts'
import type { AppEnv } from '../app-env.ts'
import { queryAs } from '../database.ts'
import { component, Id, Instant, pageOf, told } from '../openapi/fields.ts'
import { operation } from '../openapi/operation.ts'
import { cursorOf, emptyPage, idFilter, Limit, notFound, page } from '../query/parameters.ts'
import { findDeadLetter, type LetterRow, listDeadLetters } from './dead-letters-sql.ts'
import { OUTCOMES, OurMessage, retryDeadLetter } from './retry-dead-letter.ts'

const LetterId = v.pipe(v.string(), v.regex(/^[1-9]\d{0,14}$/))
const Message = told(
  v.union([OurMessage, v.string()]),
  'Of a batch, or of closed windows and usage that a shard holds; of anything else its JSON.',
)

const DeadLetter = component(
  'DeadLetter',
  v.object({
    id: LetterId,
    tenant_id: told(v.nullable(Id), 'null: the message names none.'),
    message: Message,
    reason: told(v.string(), 'Why it was given up.'),
    created_at: told(Instant, 'When it was given up for the first time.'),
  }),
  'A message that failed for good. What it announces is safe in the archive or its shard, and not in the database.',
  {
    id: '12',
    tenant_id: '6f1d2c3b-4a59-4e68-8b77-5c6d7e8f9a0b',
    message: {
      tenant_id: '6f1d2c3b-4a59-4e68-8b77-5c6d7e8f9a0b',
      batch_id: 'gw7-000123',
      r2_key: 'raw/6f1d2c3b-4a59-4e68-8b77-5c6d7e8f9a0b/gw7-000123',
    },
    reason: 'the consumer gave up after repeated attempts; its log names the cause',
    created_at: '2026-01-01T00:00:02.250Z',
  },
)
const Retried = component(
  'DeadLetterRetry',
  v.object({
    id: LetterId,
    outcome: told(
      v.picklist(OUTCOMES),
      '`sent`: on its way again; `cleared`: nothing was left to do; `kept`: it cannot be sent, and stays.',
    ),
    detail: told(v.string(), 'Why, in one sentence.'),
  }),
  'What became of a dead letter.',
)

const listAll = operation(
  {
    operationId: 'listDeadLetters',
    tag: 'Administration',
    summary: 'List messages that failed for good',
    description: 'The oldest first. Nothing sends them again by itself.',
    query: v.object({
      tenant: idFilter('Only those of this tenant.'),
      limit: Limit,
      cursor: cursorOf(v.pipe(v.number(), v.safeInteger())),
    }),
    answer: pageOf('DeadLetterPage', DeadLetter),
    returns: 'A page of dead letters.',
  },
  async (c, { query: { tenant, limit, cursor } }) => {
    if (tenant === null) return emptyPage()
    const of = { ...(tenant && { tenantId: tenant }), ...(cursor && { after: cursor }), limit: limit + 1 }
    const rows = await queryAs(c.env, OPERATOR, listDeadLetters(of))
    return page(rows, limit, letterView, ({ id }) => id)
  },
)

const retry = operation(
  {
    operationId: 'retryDeadLetter',
    tag: 'Administration',
    summary: 'Send a message that failed for good again',
    description:
      'Once its cause is mended. The letter is removed as soon as the shard has taken the message back; repeating this is safe.',
    params: v.object({ id: told(LetterId, 'The id of the dead letter.') }),
    answer: Retried,
    returns: 'What became of it.',
  },
  async (c, { params: { id } }) => {
    const [letter] = await queryAs(c.env, OPERATOR, findDeadLetter(Number(id)))
    if (letter === undefined) throw notFound()
    return { id, ...(await retryDeadLetter(c, letter)) }
  },
)

function letterView({ id, tenantId, body, reason, createdAt }: LetterRow): v.InferOutput<typeof DeadLetter> {
  const message = v.is(OurMessage, body) ? body : JSON.stringify(body)
  return { id: String(id), tenant_id: tenantId, message, reason, created_at: createdAt }
}

/** `/admin/dead-letters`. */
export const deadLettersRoute = new Hono<AppEnv>().get('/', listAll).post('/:id/retry', retry)

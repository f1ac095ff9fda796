import { createHash, timingSafeEqual } from 'node:crypto'
import type { MiddlewareHandler } from 'hono'
import type { AppEnv } from '../app-env.ts'
import { describedBy } from '../openapi/description.ts'
import { problemResponses } from '../openapi/problem-responses.ts'
import { Problem } from '../problem.ts'

const hash = (text: string) => createHash('sha256').update(text).digest()

/** Lets requests pass that carry ADMIN_TOKEN. Hashes are compared, so that neither length nor prefix can be timed. */
export const requireAdmin: MiddlewareHandler<AppEnv> = describedBy(
  () => ({
    security: [{ adminToken: [] }],
    responses: problemResponses(['missing_api_key', 'invalid_api_key', 'unavailable']),
  }),
  async function requireAdmin(c, next) {
    const token = /^Bearer (.+)$/i.exec(c.req.header('authorization') ?? '')?.[1]
    if (token === undefined) {
      throw new Problem('missing_api_key', 'Send the admin token as Authorization: Bearer TOKEN.')
    }
    if (c.env.ADMIN_TOKEN === '' || !timingSafeEqual(hash(token.trim()), hash(c.env.ADMIN_TOKEN))) {
      throw new Problem(
        'invalid_api_key',
        'The admin token is not valid; use the one the Worker was deployed with.',
      )
    }
    await next()
  },
)

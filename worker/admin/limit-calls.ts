import type { MiddlewareHandler } from 'hono'
import type { AppEnv } from '../app-env.ts'
import { describedBy } from '../openapi/description.ts'
import { problemResponses } from '../openapi/problem-responses.ts'
import { Problem } from '../problem.ts'
import { clientAddress } from './client-address.ts'

/** The period of ADMIN_CALLS in wrangler.toml. */
const PERIOD_SECONDS = 60

/** Bounds the calls of one address, before its token is looked at: guessing gets no further than asking. */
export const limitCalls: MiddlewareHandler<AppEnv> = describedBy(
  () => ({ responses: problemResponses(['rate_limited']) }),
  async function limitCalls(c, next) {
    const address = clientAddress(c)
    if (address !== undefined && !(await c.env.ADMIN_CALLS.limit({ key: address })).success) {
      throw new Problem('rate_limited', 'There are too many admin calls from this address; wait a minute.', {
        retryAfterSeconds: PERIOD_SECONDS,
      })
    }
    await next()
  },
)

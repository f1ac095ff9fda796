import { Hono } from 'hono'
import * as v from 'valibot'
import type { AppEnv } from './app-env.ts'
import { component, Instant, told } from './openapi/fields.ts'
import { operation } from './openapi/operation.ts'
import { VERSION } from './version.ts'

const Health = component(
  'Health',
  v.object({
    status: v.literal('ok'),
    time: told(Instant, 'The clock of the service.'),
    version: told(v.string(), 'Of the service.'),
  }),
  'The service answers.',
)

const getHealth = operation(
  {
    operationId: 'getHealth',
    tag: 'Service',
    summary: 'Ask whether the service answers',
    description: 'Touches nothing else: neither database nor archive.',
    answer: Health,
    returns: 'It does.',
  },
  async () => ({ status: 'ok' as const, time: new Date(), version: VERSION }),
)

/** `GET /v1/health`. */
export const healthRoute = new Hono<AppEnv>().get('/', getHealth)

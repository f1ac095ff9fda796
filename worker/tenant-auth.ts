import type { Context, MiddlewareHandler } from 'hono'
import type { Authorization, Scope } from '../durable-objects/tenant-config.ts'
import { type ParsedKey, parseKey } from './api-key.ts'
import type { AppEnv } from './app-env.ts'
import { describedBy } from './openapi/description.ts'
import { problemResponses } from './openapi/problem-responses.ts'
import { keyWith } from './openapi/security.ts'
import { Problem, type ProblemCode } from './problem.ts'
import { withinDeadline } from './within-deadline.ts'

/** The key of a request, if it reads like one of ours; nobody has been asked whether it is in force. */
export function keyOf(c: Context<AppEnv>): ParsedKey {
  const key =
    c.req.header('x-api-key') ?? /^(?:Bearer|Token) (.+)$/i.exec(c.req.header('authorization') ?? '')?.[1]
  if (!key) throw new Problem('missing_api_key', 'Send your API key in the X-API-Key header.')
  const { API_KEY_MAC_SECRET, API_KEY_MAC_SECRET_PREVIOUS = '' } = c.env
  const macSecrets = [API_KEY_MAC_SECRET, API_KEY_MAC_SECRET_PREVIOUS].filter((secret) => secret !== '')
  const parsed = parseKey(key.trim(), macSecrets)
  if (parsed === undefined) throw refusal('invalid_api_key')
  return parsed
}

export function refusal(code: Exclude<Authorization, 'ok'>): Problem {
  const details = {
    invalid_api_key: 'The API key is unknown, expired or revoked; use another one.',
    insufficient_scope: 'The API key lacks the scope for this call; use a key that has it.',
    tenant_suspended: 'The tenant is suspended; ask your operator.',
  }
  return new Problem(code, details[code])
}

/** What a request may meet for its key. */
export const KEY_PROBLEMS = [
  'missing_api_key',
  'invalid_api_key',
  'insufficient_scope',
  'tenant_suspended',
  'unavailable',
] as const satisfies ProblemCode[]

/** Lets requests pass whose key has one of `scopes`, by asking the tenant's control object; sets `tenantId`. */
export function requireScope(...scopes: Scope[]): MiddlewareHandler<AppEnv> {
  return describedBy(
    () => ({ security: keyWith(scopes), responses: problemResponses(KEY_PROBLEMS) }),
    async function requireScope(c, next) {
      const { tenantId, hash } = keyOf(c)
      const control = c.env.TENANT_CONTROL.getByName(tenantId)
      const authorization = await withinDeadline(control.authorize(hash, scopes))
      if (authorization !== 'ok') throw refusal(authorization)
      c.set('tenantId', tenantId)
      await next()
    },
  )
}

import type { MiddlewareHandler } from 'hono'
import type { AppEnv } from './app-env.ts'

/** What no answer of the API lacks: it is what its type says, and nobody keeps a copy unless it allows that itself. */
export const answerHeaders: MiddlewareHandler<AppEnv> = async (c, next) => {
  await next()
  c.header('X-Content-Type-Options', 'nosniff')
  if (!c.res.headers.has('cache-control')) c.header('Cache-Control', 'no-store')
}

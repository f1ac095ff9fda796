import type { MiddlewareHandler } from 'hono'
import { cryptoRandom, newTraceId, traceIdOf, traceparentOf } from '../telemetry/trace.ts'
import type { AppEnv } from './app-env.ts'

/**
 * Gives each request a trace: the sender's, by its `traceparent`, or a new one. The answer names it, and so does every
 * line of the log on the way.
 */
export const traceRequest: MiddlewareHandler<AppEnv> = async function traceRequest(c, next) {
  const traceId = traceIdOf(c.req.header('traceparent')) ?? newTraceId(cryptoRandom)
  c.set('traceId', traceId)
  await next()
  c.header('Traceparent', traceparentOf(traceId, cryptoRandom))
}

import type { MiddlewareHandler } from 'hono'
import { cors } from 'hono/cors'
import type { AppEnv } from './app-env.ts'

/** A browser asks again after this whether it may. */
const PREFLIGHT_SECONDS = 7200

const allow = cors({
  origin: (origin) => origin,
  allowMethods: ['GET', 'POST', 'PATCH', 'DELETE'],
  allowHeaders: ['X-API-Key', 'Authorization', 'Content-Type', 'Traceparent'],
  exposeHeaders: ['Retry-After', 'Traceparent'],
  maxAge: PREFLIGHT_SECONDS,
})

/**
 * Lets the pages of the origins in CORS_ORIGINS, with commas between them, call the API. To any other page a
 * browser shows no answer; programs send no origin and are not concerned.
 */
export const crossOrigin: MiddlewareHandler<AppEnv> = async function crossOrigin(c, next) {
  const origin = c.req.header('origin')
  if (origin && allowedOrigins(c.env.CORS_ORIGINS).includes(origin)) return allow(c, next)
  await next()
}

const allowedOrigins = (list = '') => list.split(',').map((origin) => origin.trim())

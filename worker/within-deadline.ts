import { AsyncLocalStorage } from 'node:async_hooks'
import type { Context, Next } from 'hono'
import type { AppEnv } from './app-env.ts'
import { Problem, unavailable } from './problem.ts'

/** All that one request waits for is given up after this, so that a passing fault is answered within 10 s. */
const DEADLINE_MS = 8_000

/** When the request at hand is given up; unset until it waits for the first time. */
const requests = new AsyncLocalStorage<{ until: number | undefined }>()

/**
 * Gives each request one deadline for everything it waits for, so that several waits do not add up. It runs
 * from the first of them: the time a slow sender takes for its body is the sender's own.
 */
export async function requestDeadline(_c: Context<AppEnv>, next: Next): Promise<void> {
  await requests.run({ until: undefined }, next)
}

/** What the request at hand may still wait, at most `ms`; outside of requests `ms` itself. */
export function remainingMs(ms: number): number {
  const request = requests.getStore()
  if (request === undefined) return ms
  const now = Date.now()
  request.until ??= now + DEADLINE_MS
  return Math.max(0, Math.min(ms, request.until - now))
}

/**
 * Waits for storage or another object; that it fails or does not answer in time is a passing fault, and
 * becomes a 503. A Problem passes as it is. A wait that is stated to be longer than a request's may be so.
 */
export async function withinDeadline<T>(work: Promise<T>, deadlineMs = DEADLINE_MS): Promise<T> {
  const waitMs = deadlineMs > DEADLINE_MS ? deadlineMs : remainingMs(deadlineMs)
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${waitMs} ms`)), waitMs)
  })
  try {
    return await Promise.race([work, late])
  } catch (error) {
    throw error instanceof Problem ? error : unavailable(error)
  } finally {
    clearTimeout(timer)
  }
}

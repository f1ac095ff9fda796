import { setTimeout as sleep } from 'node:timers/promises'
import { isConflict } from '../database.ts'

/** Between tries others have the table to themselves for longer than a try makes them wait. */
const PAUSES_MS = [500, 1_000, 2_000, 4_000, 8_000, 15_000, 30_000]

const codeOf = (error: unknown) => (error instanceof Error && 'code' in error ? error.code : undefined)
const isLocked = (error: unknown) => codeOf(error) === '55P03' || isConflict(error)

/** Does a piece of work that gives up soon where it would have to wait for a lock; undefined when it never got it. */
export async function despiteLocks<T>(
  work: () => Promise<T>,
  pausesMs: readonly number[] = PAUSES_MS,
): Promise<T | undefined> {
  for (const pauseMs of [...pausesMs, undefined]) {
    try {
      return await work()
    } catch (error) {
      if (!isLocked(error)) throw error
      if (pauseMs !== undefined) await sleep(pauseMs)
    }
  }
  return undefined
}

/** Does a piece of work on a partition that another run may have dropped meanwhile: then there is nothing to do. */
export async function unlessDropped<T>(work: () => Promise<T>, nothing: T): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (codeOf(error) === '42P01') return nothing
    throw error
  }
}

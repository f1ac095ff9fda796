import { Problem, unavailable } from './problem.ts'

/** Everything a request waits for is given up after this, so that a passing fault is answered within 10 s. */
const DEADLINE_MS = 8_000

/**
 * Waits for storage, another object or the database; that it fails or does not answer in time is a passing
 * fault, and becomes a 503. A Problem passes as it is.
 */
export async function withinDeadline<T>(work: Promise<T>, deadlineMs = DEADLINE_MS): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${deadlineMs} ms`)), deadlineMs)
  })
  try {
    return await Promise.race([work, late])
  } catch (error) {
    throw error instanceof Problem ? error : unavailable(error)
  } finally {
    clearTimeout(timer)
  }
}

import * as v from 'valibot'

const MAX_WAIT_MS = 300

/** How a Durable Object's failure is marked: https://developers.cloudflare.com/durable-objects/best-practices/error-handling */
const Marked = v.object({ retryable: v.optional(v.boolean()), overloaded: v.optional(v.boolean()) })

/**
 * Makes a repeatable call of a Durable Object once more, after a random wait, if it failed for a reason that is
 * over with the next try (the object moved or was restarted). Never when the object is overloaded: that would
 * add to its load, and the caller's 503 with Retry-After takes it off.
 */
export async function retryOnce<T>(call: () => Promise<T>, random: () => number): Promise<T> {
  try {
    return await call()
  } catch (error) {
    const marks = v.safeParse(Marked, error)
    if (!marks.success || marks.output.overloaded || !marks.output.retryable) throw error
    await new Promise((resolve) => setTimeout(resolve, random() * MAX_WAIT_MS))
    return call()
  }
}

import * as v from 'valibot'

/** RFC 9457, as the API answers every fault. */
const problemSchema = v.object({
  title: v.string(),
  detail: v.optional(v.string()),
  code: v.string(),
  errors: v.optional(v.array(v.object({ path: v.string(), message: v.string() })), []),
})

interface Fault {
  path: string
  message: string
}

/** What went wrong with a request, in a sentence fit to show. */
export class ApiError extends Error {
  override name = 'ApiError'
  readonly code: string
  readonly status: number | undefined
  /** What is wrong with single fields, by their names. */
  readonly faults: Fault[]

  constructor(code: string, message: string, status?: number, faults: Fault[] = []) {
    super(message)
    this.code = code
    this.status = status
    this.faults = faults
  }

  /** Faults of the key itself: no retry helps, another key does. */
  get refusesKey(): boolean {
    return this.status === 401 || this.code === 'insufficient_scope'
  }
}

/** The error of an answer that is not 2xx; something between us and the API may have written it. */
export async function apiErrorOf(response: Response): Promise<ApiError> {
  const problem = v.safeParse(problemSchema, await response.json().catch(() => undefined))
  if (!problem.success) {
    const message = `The API answered with status ${response.status}.`
    return new ApiError('unexpected_answer', message, response.status)
  }
  const { code, title, detail, errors } = problem.output
  return new ApiError(code, `${detail ?? title}${retryHint(response)}`, response.status, errors)
}

function retryHint(response: Response): string {
  const seconds = Number(response.headers.get('Retry-After'))
  return seconds > 0 ? ` Try again in ${seconds} s.` : ''
}

import { setTimeout as sleep } from 'node:timers/promises'
import * as v from 'valibot'

const problemSchema = v.object({
  code: v.string(),
  detail: v.optional(v.string()),
  errors: v.optional(v.array(v.object({ path: v.string(), message: v.string() })), []),
})

/** An answer of the API that is no success, as one sentence. */
export class ApiError extends Error {
  readonly status: number
  readonly code: string | undefined

  constructor(status: number, body: string) {
    const problem = v.safeParse(v.pipe(v.string(), v.parseJson(), problemSchema), body)
    super(`The API answered ${status}: ${problem.success ? sentenceOf(problem.output) : body.slice(0, 200)}`)
    this.status = status
    this.code = problem.success ? problem.output.code : undefined
  }
}

function sentenceOf({ code, detail = code, errors }: v.InferOutput<typeof problemSchema>): string {
  const faults = errors.map(({ path, message }) => `${path} ${message}`)
  return faults.length > 0 ? `${detail} (${faults.join('; ')})` : detail
}

export interface ApiRequest {
  method?: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  /** Sent as JSON; bytes and text go as they are. */
  body?: object | string
  headers?: Record<string, string>
}

export interface ApiOptions {
  url: string
  /** A tenant's key or the admin token: the API takes both as a bearer. */
  token: string
  /** How long a passing fault (no answer, 429, 503) is waited out. */
  patienceMs?: number
  signal?: AbortSignal
}

export interface ApiAnswer {
  status: number
  body: string
}

/** Calls the API as a careful client does: what passes is tried again, what does not is an `ApiError`. */
export class Api {
  readonly #options: ApiOptions

  constructor(options: ApiOptions) {
    this.#options = options
  }

  /** The answer of a successful call, in the shape of `schema`. */
  async json<T extends v.GenericSchema>(
    path: string,
    schema: T,
    request: ApiRequest = {},
  ): Promise<v.InferOutput<T>> {
    const { body } = await this.send(path, request)
    return v.parse(v.pipe(v.string(), v.parseJson(), schema), body)
  }

  /** Every row of a list, page after page. */
  async list<T extends v.GenericSchema>(path: string, row: T): Promise<v.InferOutput<T>[]> {
    const pageSchema = v.object({ data: v.array(row), next_cursor: v.nullable(v.string()) })
    const rows: v.InferOutput<T>[] = []
    for (let cursor: string | null = ''; cursor !== null; ) {
      const page: v.InferOutput<typeof pageSchema> = await this.json(withCursor(path, cursor), pageSchema)
      rows.push(...page.data)
      cursor = page.next_cursor
    }
    return rows
  }

  async send(path: string, request: ApiRequest = {}): Promise<ApiAnswer> {
    const { patienceMs = 0, signal } = this.#options
    const giveUp = Date.now() + patienceMs
    for (;;) {
      const answer = await this.#once(path, request).catch((error: unknown) => {
        if (signal?.aborted || Date.now() > giveUp) throw error
        return undefined
      })
      if (answer && answer.status < 300) return answer
      const isPassing = !answer || answer.status === 503 || answer.status === 429
      if (answer && (!isPassing || Date.now() > giveUp)) throw new ApiError(answer.status, answer.body)
      await sleep(answer?.retryAfterMs ?? 250, undefined, signal ? { signal } : {})
    }
  }

  async #once(path: string, { method = 'GET', body, headers = {} }: ApiRequest) {
    const { url, token, signal } = this.#options
    const isPlain = typeof body === 'string' || body instanceof Uint8Array
    const response = await fetch(new URL(path, url), {
      method,
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body: isPlain ? body : JSON.stringify(body) }),
      signal: AbortSignal.any([AbortSignal.timeout(30_000), ...(signal ? [signal] : [])]),
    })
    const retryAfter = response.headers.get('retry-after')
    const retryAfterMs = retryAfter === null ? undefined : Number(retryAfter) * 1000
    return { status: response.status, body: await response.text(), retryAfterMs }
  }
}

function withCursor(path: string, cursor: string): string {
  const url = new URL(path, 'http://any')
  url.searchParams.set('limit', '1000')
  if (cursor) url.searchParams.set('cursor', cursor)
  return url.pathname + url.search
}

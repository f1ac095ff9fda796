import { vi } from 'vitest'

/** What goes to Postgres as one request: one query, or those of a transaction. */
export interface SqlRequest {
  queries?: { query: string; params?: unknown[] }[]
}

/** A statement that fails like any may. */
export const raise = (sqlstate: string) => ({
  query: `do $$ begin raise exception 'told to fail' using errcode = '${sqlstate}'; end $$`,
})

/** One that ends its own connection: what came before it in its transaction is undone. */
export const CUT = { query: 'select pg_terminate_backend(pg_backend_pid())' }

export interface PostgresFault {
  statement: { query: string }
  /** Behind so many of the transaction's own statements. */
  at: number
  /** Only of the nth transaction from now on, the first being 0. */
  nth?: number
}

/** Transactions have one statement more until the work is done; a query by itself is none. */
export async function withPostgresFault<T>(
  { statement, at, nth }: PostgresFault,
  work: () => Promise<T>,
): Promise<T> {
  const { fetch } = globalThis
  let n = 0
  const spy = vi.spyOn(globalThis, 'fetch').mockImplementation(async (url, init) => {
    const { queries, ...request }: SqlRequest = JSON.parse(String(init?.body))
    if (queries === undefined || (nth !== undefined && n++ !== nth)) return fetch(url, init)
    const body = JSON.stringify({ ...request, queries: queries.toSpliced(at, 0, statement) })
    return fetch(url, { ...init, body })
  })
  try {
    return await work()
  } finally {
    spy.mockRestore()
  }
}

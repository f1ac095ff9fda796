import { useEffect, useRef, useState } from 'preact/hooks'
import type { ReadOptions } from './api.ts'
import type { Page } from './schemas.ts'

export interface Pages<Row> {
  rows: Row[]
  /** Set when there are more rows to ask for. */
  cursor: string | null
  busy: boolean
  error: Error | undefined
}

type Load<Row> = (cursor: string | undefined, read: ReadOptions) => Promise<Page<Row>>

/** A list that grows by a page at a time; `key` names all that `load` depends on. */
export function usePages<Row>(key: string, load: Load<Row>) {
  const [pages, setPages] = useState<Pages<Row>>({ rows: [], cursor: null, busy: true, error: undefined })
  const abort = useRef<AbortController>(undefined)

  const read = (rows: Row[], cursor: string | null) => {
    abort.current?.abort()
    abort.current = new AbortController()
    const { signal } = abort.current
    setPages({ rows, cursor, busy: true, error: undefined })
    load(cursor ?? undefined, { signal }).then(
      ({ data, next_cursor }) =>
        signal.aborted ||
        setPages({ rows: [...rows, ...data], cursor: next_cursor, busy: false, error: undefined }),
      (error: Error) => signal.aborted || setPages({ rows, cursor, busy: false, error }),
    )
  }
  useEffect(() => {
    read([], null)
    return () => abort.current?.abort()
  }, [key])

  return { ...pages, more: () => read(pages.rows, pages.cursor) }
}

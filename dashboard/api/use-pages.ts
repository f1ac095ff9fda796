import { useEffect, useRef, useState } from 'preact/hooks'
import type { ReadOptions } from './request.ts'
import type { Page } from './schemas.ts'

export interface Pages<Row> {
  rows: Row[]
  /** Set when there are more rows to ask for. */
  cursor: string | null
  busy: boolean
  error: Error | undefined
}

type Load<Row> = (cursor: string | undefined, read: ReadOptions) => Promise<Page<Row>>

/**
 * A list that grows by a page at a time; `key` names all that `load` depends on. Under another key the rows of
 * the one before stay until the new ones are there, so that a list that is searched does not flicker.
 */
export function usePages<Row>(key: string, load: Load<Row>) {
  const [pages, setPages] = useState<Pages<Row>>({ rows: [], cursor: null, busy: true, error: undefined })
  const abort = useRef<AbortController>(undefined)

  const read = (before: Row[], cursor: string | null, show: (pages: Pages<Row>) => void, shown = before) => {
    abort.current?.abort()
    abort.current = new AbortController()
    const { signal } = abort.current
    show({ rows: shown, cursor, busy: true, error: undefined })
    load(cursor ?? undefined, { signal }).then(
      ({ data, next_cursor }) =>
        signal.aborted ||
        setPages({ rows: [...before, ...data], cursor: next_cursor, busy: false, error: undefined }),
      (error: Error) => signal.aborted || show({ rows: before, cursor, busy: false, error }),
    )
  }
  useEffect(() => {
    read([], null, setPages, pages.rows)
    return () => abort.current?.abort()
  }, [key])

  return {
    ...pages,
    more: () => read(pages.rows, pages.cursor, setPages),
    /** Reads the first page again; nothing is seen of it but what is new, not even that it failed. */
    refresh: () => read([], null, () => {}),
  }
}

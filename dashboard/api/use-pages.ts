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

const NOTHING = { rows: [], cursor: null, busy: true, error: undefined }

/**
 * A list that grows by a page at a time; `key` names all that `load` depends on. Under another key the rows of
 * the one before stay until the new ones are there, so that a list that is searched does not flicker.
 */
export function usePages<Row>(key: string, load: Load<Row>) {
  const [held, setHeld] = useState<{ key: string; pages: Pages<Row> }>({ key, pages: NOTHING })
  const pages = held.key === key ? held.pages : { ...held.pages, cursor: null, busy: true, error: undefined }
  const abort = useRef<AbortController>(undefined)
  const show = (shown: Pages<Row>) => setHeld({ key, pages: shown })

  const read = (before: Row[], cursor: string | null, onFault: (error: Error) => void) => {
    abort.current?.abort()
    abort.current = new AbortController()
    const { signal } = abort.current
    load(cursor ?? undefined, { signal }).then(
      ({ data, next_cursor }) =>
        signal.aborted ||
        show({ rows: [...before, ...data], cursor: next_cursor, busy: false, error: undefined }),
      (error: Error) => signal.aborted || onFault(error),
    )
  }
  const more = (rows: Row[], cursor: string | null) => {
    show({ rows, cursor, busy: true, error: undefined })
    read(rows, cursor, (error) => show({ rows, cursor, busy: false, error }))
  }
  useEffect(() => {
    read([], null, (error) => show({ rows: [], cursor: null, busy: false, error }))
    return () => abort.current?.abort()
  }, [key])

  return {
    ...pages,
    more: () => more(pages.rows, pages.cursor),
    /** Reads the first page again; nothing is seen of it but what is new, not even that it failed. */
    refresh: () => read([], null, () => {}),
  }
}

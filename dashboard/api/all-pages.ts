import type { Page } from './schemas.ts'

/** Every row of a list, page by page; `onProgress` hears the number of rows so far. */
export async function allPages<Row>(
  load: (cursor?: string) => Promise<Page<Row>>,
  onProgress?: (count: number) => void,
): Promise<Row[]> {
  const rows: Row[] = []
  let cursor: string | undefined
  do {
    const page = await load(cursor)
    for (const row of page.data) rows.push(row)
    onProgress?.(rows.length)
    cursor = page.next_cursor ?? undefined
  } while (cursor)
  return rows
}

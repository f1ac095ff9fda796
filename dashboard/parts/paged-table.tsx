import type { Pages } from '../api/use-pages.ts'
import { DataTable, type DataTableProps } from './data-table.tsx'
import { ErrorNote, Loading } from './states.tsx'

export interface PagedTableProps<Row> extends Omit<DataTableProps<Row>, 'rows'> {
  pages: Pages<Row> & { more: () => void }
}

/** A list that grows: its rows, then what stands behind them (loading, an error, or the button for more). */
export function PagedTable<Row>({ pages, ...table }: PagedTableProps<Row>) {
  const { rows, cursor, busy, error, more } = pages
  return (
    <>
      {rows.length > 0 && <DataTable {...table} rows={rows} />}
      {busy && <Loading />}
      {error && <ErrorNote error={error} retry={more} />}
      {cursor !== null && !busy && !error && (
        <button type="button" class="more" onClick={more}>
          Show more
        </button>
      )}
    </>
  )
}

import { useState } from 'preact/hooks'
import { formatCount } from '../format.ts'
import { DataTable, type DataTableProps } from './data-table.tsx'

const STEP = 50

interface GrowingTableProps<Row> extends DataTableProps<Row> {
  step?: number
}

/** A table of rows already at hand, drawn a step at a time: thousands at once would hold the page up. */
export function GrowingTable<Row>({ rows, step = STEP, ...table }: GrowingTableProps<Row>) {
  const [shown, setShown] = useState(step)
  const left = rows.length - shown
  return (
    <>
      <DataTable {...table} rows={rows.slice(0, shown)} />
      {left > 0 && (
        <button type="button" class="more" onClick={() => setShown(shown + step)}>
          Show more ({formatCount(left)} left)
        </button>
      )}
    </>
  )
}

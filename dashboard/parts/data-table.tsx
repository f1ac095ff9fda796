import type { ComponentChildren } from 'preact'

export interface Column<Row> {
  head: string
  cell: (row: Row) => ComponentChildren
  /** Right-aligned, so that digits stand under each other. */
  numeric?: boolean
}

export interface DataTableProps<Row> {
  caption: string
  columns: Column<Row>[]
  rows: Row[]
  rowKey: (row: Row) => string | number
}

/** A table whose first column heads its row. On narrow screens each row becomes a block of labelled values. */
export function DataTable<Row>({ caption, columns, rows, rowKey }: DataTableProps<Row>) {
  return (
    <table class="data-table">
      <caption class="visually-hidden">{caption}</caption>
      <thead>
        <tr>
          {columns.map(({ head, numeric }) => (
            <th key={head} scope="col" class={numeric ? 'numeric' : undefined}>
              {head}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={rowKey(row)}>{columns.map((column, index) => cellOf(column, row, index === 0))}</tr>
        ))}
      </tbody>
    </table>
  )
}

function cellOf<Row>({ head, cell, numeric }: Column<Row>, row: Row, headsRow: boolean) {
  const content = cell(row)
  if (headsRow) {
    return (
      <th key={head} scope="row">
        {content}
      </th>
    )
  }
  return (
    <td key={head} class={numeric ? 'numeric' : undefined} data-label={head}>
      <span>{content}</span>
    </td>
  )
}

type Cell = string | number | null

/** RFC 4180. A text that a spreadsheet would take for a formula gets a quote in front, which makes it a text. */
export const csvOf = (head: string[], rows: Cell[][]): string =>
  [head, ...rows].map((row) => `${row.map(cellText).join(',')}\r\n`).join('')

function cellText(cell: Cell): string {
  if (cell === null) return ''
  if (typeof cell === 'number') return String(cell)
  const text = /^[=+\-@\t\r]/.test(cell) ? `'${cell}` : cell
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

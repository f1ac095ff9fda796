/** Saves what a table shows as a file. `make` is called when the reader asks for it. */
export function CsvButton({ name, make }: { name: string; make: () => string }) {
  const save = () => {
    // The mark at the start tells spreadsheets that it is UTF-8.
    const url = URL.createObjectURL(new Blob([`\ufeff${make()}`], { type: 'text/csv' }))
    const link = document.createElement('a')
    link.href = url
    link.download = `${name.replace(/[^\p{L}\p{N}._-]+/gu, '-')}.csv`
    link.click()
    setTimeout(() => URL.revokeObjectURL(url), 10_000)
  }
  return (
    <button type="button" onClick={save}>
      Download CSV
    </button>
  )
}

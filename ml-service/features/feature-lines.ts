import type { WindowFeatures } from '../../telemetry/window-features.ts'

export type FeatureFormat = 'table' | 'json' | 'csv'

const COLUMNS = [
  'window_start',
  'window_end',
  'count',
  'mean',
  'std',
  'median',
  'mad',
  'min',
  'max',
  'range',
] as const

const TIME_WIDTH = 24
const NUMBER_WIDTH = 14

/** The lines to print: a header and a row a window, or a JSON array with an object a line. */
export async function* featureLines(
  windows: AsyncIterable<WindowFeatures>,
  format: FeatureFormat,
): AsyncGenerator<string> {
  if (format === 'json') yield* jsonLines(windows)
  else {
    yield rowLine(COLUMNS, format)
    for await (const window of windows) yield rowLine(Object.values(rowOf(window)), format)
  }
}

/** A window with the contract's names and ISO times. */
function rowOf(window: WindowFeatures) {
  const { windowStart, windowEnd, count, mean, std, median, mad, min, max, range } = window
  const times = {
    window_start: new Date(windowStart).toISOString(),
    window_end: new Date(windowEnd).toISOString(),
  }
  return { ...times, count, mean, std, median, mad, min, max, range }
}

function rowLine(cells: readonly (string | number)[], format: 'table' | 'csv'): string {
  if (format === 'csv') return cells.join(',')
  return cells
    .map((cell, i) => (i < 2 ? String(cell).padEnd(TIME_WIDTH) : tableNumber(cell).padStart(NUMBER_WIDTH)))
    .join(' ')
}

const tableNumber = (cell: string | number) =>
  typeof cell === 'number' ? String(Number(cell.toPrecision(8))) : cell

async function* jsonLines(windows: AsyncIterable<WindowFeatures>): AsyncGenerator<string> {
  let previous: string | undefined
  for await (const window of windows) {
    yield previous === undefined ? '[' : `${previous},`
    previous = JSON.stringify(rowOf(window))
  }
  if (previous === undefined) yield '[]'
  else {
    yield previous
    yield ']'
  }
}

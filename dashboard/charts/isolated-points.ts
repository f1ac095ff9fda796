import type UPlot from 'uplot'

/** Draws a dot for a value without neighbours, which no line would show: a first window, one between gaps. */
export const isolatedPoints: UPlot.Series.Points = {
  show: true,
  size: 5,
  filter: (plot, series) => isolatedIndexes(plot.data[series] ?? []),
}

export function isolatedIndexes(values: ArrayLike<number | null | undefined>): number[] {
  const isolated: number[] = []
  for (let index = 0; index < values.length; index += 1) {
    if (values[index] != null && values[index - 1] == null && values[index + 1] == null) isolated.push(index)
  }
  return isolated
}

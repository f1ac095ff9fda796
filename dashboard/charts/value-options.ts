import type UPlot from 'uplot'
import type { ChartColumns } from './chart-columns.ts'
import { type ChartContext, sharedOptions } from './shared-options.ts'

/** Median, band from least to greatest value, expected range, anomalous windows marked. */
export function valueOptions(context: ChartContext): Omit<UPlot.Options, 'width' | 'height'> {
  const { colours } = context
  const edge: UPlot.Series = { stroke: 'transparent', points: { show: false } }
  const expected: UPlot.Series = { stroke: colours.expected, width: 1, dash: [4, 4], points: { show: false } }
  return {
    ...sharedOptions(context),
    series: [
      {},
      edge,
      edge,
      expected,
      expected,
      { stroke: colours.median, width: 1.5, points: { show: false } },
      {
        stroke: colours.anomalous,
        paths: () => null,
        points: { show: true, size: 6, width: 0, fill: colours.anomalous },
      },
    ],
    bands: [{ series: [2, 1], fill: colours.band }],
  }
}

/** The columns in the order of the series above. */
export const valueData = ({
  time,
  min,
  max,
  low,
  high,
  median,
  anomalous,
}: ChartColumns): UPlot.AlignedData => [time, min, max, low, high, median, anomalous]

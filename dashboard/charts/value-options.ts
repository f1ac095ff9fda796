import type UPlot from 'uplot'
import type { ChartColumns } from './chart-columns.ts'
import { isolatedPoints } from './isolated-points.ts'
import { drawAlerts } from './overlay.ts'
import { type ChartContext, sharedOptions } from './shared-options.ts'

/** Places among the series, which are drawn in their order: the expected range lies under everything. */
const [LOW, HIGH, MIN, MAX] = [1, 2, 3, 4]

/** Median, band from least to greatest value, expected range, anomalous windows and alerts marked. */
export function valueOptions(context: ChartContext): Omit<UPlot.Options, 'width' | 'height'> {
  const { colours, overlay } = context
  const shared = sharedOptions(context)
  const edge: UPlot.Series = { stroke: 'transparent', points: { show: false } }
  return {
    ...shared,
    hooks: { ...shared.hooks, draw: [(plot) => drawAlerts(plot, overlay().alerts, colours.alert)] },
    series: [
      {},
      edge,
      edge,
      edge,
      edge,
      { stroke: colours.median, width: 1.5, points: isolatedPoints },
      {
        stroke: colours.anomalous,
        paths: () => null,
        points: { show: true, size: 6, width: 0, fill: colours.anomalous },
      },
    ],
    bands: [
      { series: [HIGH, LOW], fill: colours.expected },
      { series: [MAX, MIN], fill: colours.band },
    ],
  }
}

/** The columns in the order of the series above. */
export const valueData = ({
  time,
  low,
  high,
  min,
  max,
  median,
  anomalous,
}: ChartColumns): UPlot.AlignedData => [time, low, high, min, max, median, anomalous]

import type UPlot from 'uplot'
import type { TimeSpan } from '../time-range.ts'
import type { ChartColours } from './chart-colours.ts'
import { shownRange } from './shown-range.ts'
import { timeTicks } from './time-ticks.ts'

/** Width of the value axis: the same in both charts, so that their times stand under each other. */
const VALUE_AXIS_PX = 58
const TIME_AXIS_PX = 30
const SYNC_KEY = 'metric'

export interface ChartContext {
  colours: ChartColours
  span: TimeSpan
  /** The entry under the pointer; null when it has left. */
  onHover: (index: number | null) => void
}

/** What the charts of a page share: axes, and a cursor and zoom that move together. */
export function sharedOptions({ colours, span, onHover }: ChartContext) {
  const axis: UPlot.Axis = {
    stroke: colours.axis,
    font: '12px system-ui, sans-serif',
    grid: { stroke: colours.grid, width: 1 },
    ticks: { stroke: colours.grid, width: 1, size: 4 },
  }
  return {
    padding: [8, 8, 0, 0],
    legend: { show: false },
    cursor: {
      y: false,
      sync: { key: SYNC_KEY, setSeries: false, scales: ['x', null] },
      drag: { x: true, y: false },
      points: { size: 7 },
    },
    axes: [
      { ...axis, size: TIME_AXIS_PX, values: timeTicks, space: 70 },
      { ...axis, size: VALUE_AXIS_PX, space: 36, values: valueTicks },
    ],
    hooks: { setCursor: [(plot) => onHover(plot.cursor.idx ?? null)] },
    scales: { x: { time: true, range: (plot, min, max) => shownRange(plot.data[0], min, max, span) } },
  } satisfies Partial<UPlot.Options>
}

const valueTicks: UPlot.Axis.DynamicValues = (_plot, splits, _axis, _space, step) => {
  const large = Math.max(...splits.map(Math.abs)) >= 100_000
  const digits = Math.min(12, Math.max(0, Math.ceil(-Math.log10(step))))
  const format = new Intl.NumberFormat(
    undefined,
    large ? { notation: 'compact', maximumSignificantDigits: 4 } : { maximumFractionDigits: digits },
  )
  return splits.map((split) => format.format(split))
}

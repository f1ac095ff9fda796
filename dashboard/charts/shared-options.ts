import type UPlot from 'uplot'
import type { ChartColours } from './chart-colours.ts'
import type { Overlay } from './overlay.ts'
import type { TimeAxis } from './time-axis.ts'
import { timeTicks } from './time-ticks.ts'

/** Width of the value axis: the same in both charts, so that their times stand under each other. */
const VALUE_AXIS_PX = 58
const TIME_AXIS_PX = 30
const SYNC_KEY = 'metric'
/** A drag shorter than this is a click. */
const MIN_DRAG_PX = 5

export interface ChartContext {
  colours: ChartColours
  axis: TimeAxis
  overlay: () => Overlay
  /** The entry under the pointer; null when it has left. */
  onHover: (index: number | null) => void
}

/** What the charts of a page share: axes, a cursor that moves in both, and a drag that zooms both. */
export function sharedOptions({ colours, axis, onHover }: ChartContext) {
  const shared: UPlot.Axis = {
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
      drag: { x: true, y: false, setScale: false, dist: MIN_DRAG_PX },
      points: { size: 7 },
      bind: { mousedown: unlessShift, dblclick: () => () => showAll(axis) },
    },
    axes: [
      { ...shared, size: TIME_AXIS_PX, values: timeTicks, space: 70 },
      { ...shared, size: VALUE_AXIS_PX, space: 36, values: valueTicks },
    ],
    hooks: {
      setCursor: [(plot) => onHover(plot.cursor.idx ?? null)],
      setSelect: [(plot) => showSelected(plot, axis)],
    },
    scales: { x: { time: true, auto: false } },
  } satisfies Partial<UPlot.Options>
}

/** With Shift a drag moves the chart and selects nothing. */
const unlessShift: UPlot.Cursor.MouseListenerFactory = (_plot, _target, handle) => (event) => {
  if (event.button === 0 && !event.shiftKey) handle(event)
  return null
}

function showAll(axis: TimeAxis): null {
  axis.reset()
  return null
}

/** The chart under the pointer tells the axis; in the other one the same selection only shows. */
function showSelected(plot: UPlot, axis: TimeAxis): void {
  const { left, width } = plot.select
  if (width === 0) return
  plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false)
  const timeAt = (x: number) => plot.posToVal(x, 'x') * 1000
  axis.show({ from: timeAt(left), to: timeAt(left + width) })
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

import type { TimeAxis } from './time-axis.ts'

const PAN_SHARE = 0.25
const ZOOM_FACTOR = 2

/** For hands without a wheel, and for the keyboard. */
export function ChartTools({ axis }: { axis: TimeAxis }) {
  const tools: [string, string, () => void][] = [
    ['←', 'Earlier', () => axis.pan(-PAN_SHARE)],
    ['→', 'Later', () => axis.pan(PAN_SHARE)],
    ['+', 'Zoom in', () => axis.zoom(1 / ZOOM_FACTOR)],
    ['−', 'Zoom out', () => axis.zoom(ZOOM_FACTOR)],
    ['All', 'Show all', () => axis.reset()],
  ]
  return (
    <fieldset class="chart-tools" aria-label="Move and zoom the charts">
      {tools.map(([sign, name, act]) => (
        <button key={name} type="button" aria-label={name} title={name} onClick={act}>
          {sign}
        </button>
      ))}
      <p class="hint">Drag to zoom, Shift and drag to move, double-click to see all.</p>
    </fieldset>
  )
}

/** Arrows move, plus and minus zoom, 0 shows all, while the focus is within the charts. */
export function keyMoves(event: KeyboardEvent, axis: TimeAxis): void {
  const moves: Record<string, () => void> = {
    ArrowLeft: () => axis.pan(-PAN_SHARE),
    ArrowRight: () => axis.pan(PAN_SHARE),
    '+': () => axis.zoom(1 / ZOOM_FACTOR),
    '-': () => axis.zoom(ZOOM_FACTOR),
    '0': () => axis.reset(),
  }
  const move = moves[event.key]
  if (!move || event.ctrlKey || event.metaKey || event.altKey) return
  move()
  event.preventDefault()
}

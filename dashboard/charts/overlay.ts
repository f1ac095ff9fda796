import type UPlot from 'uplot'
import type { TimeSpan } from '../time-range.ts'

/** What is drawn over time besides values. Read at each drawing, so that it may change under a chart. */
export interface Overlay {
  /** Where the metric was learning. */
  learning: TimeSpan[]
  /** Ends of windows that raised an alert, epoch ms. */
  alerts: number[]
}

export function shadeSpans(plot: UPlot, spans: TimeSpan[], colour: string): void {
  const { ctx, bbox } = plot
  ctx.save()
  ctx.fillStyle = colour
  for (const { from, to } of spans) {
    const left = Math.max(bbox.left, plot.valToPos(from / 1000, 'x', true))
    const right = Math.min(bbox.left + bbox.width, plot.valToPos(to / 1000, 'x', true))
    if (right > left) ctx.fillRect(left, bbox.top, right - left, bbox.height)
  }
  ctx.restore()
}

/** A line from top to bottom for each instant, with a flag at its top. */
export function drawAlerts(plot: UPlot, alerts: number[], colour: string): void {
  const { ctx, bbox } = plot
  const size = 5 * devicePixelRatio
  ctx.save()
  ctx.strokeStyle = colour
  ctx.fillStyle = colour
  ctx.lineWidth = devicePixelRatio
  ctx.beginPath()
  for (const time of alerts) {
    const x = Math.round(plot.valToPos(time / 1000, 'x', true)) + 0.5
    if (x < bbox.left || x > bbox.left + bbox.width) continue
    ctx.moveTo(x, bbox.top)
    ctx.lineTo(x, bbox.top + bbox.height)
    ctx.fillRect(x, bbox.top, 2 * size, size)
  }
  // Values are seen through the lines.
  ctx.globalAlpha = 0.6
  ctx.stroke()
  ctx.restore()
}

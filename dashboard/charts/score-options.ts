import type UPlot from 'uplot'
import { SCORE_THRESHOLD } from '../score-threshold.ts'
import type { ChartColumns } from './chart-columns.ts'
import { isolatedPoints } from './isolated-points.ts'
import { shadeSpans } from './overlay.ts'
import { type ChartContext, sharedOptions } from './shared-options.ts'

/** The scores, the threshold across them, and a shade where the metric was learning and had none. */
export function scoreOptions(context: ChartContext): Omit<UPlot.Options, 'width' | 'height'> {
  const { colours, overlay } = context
  const shared = sharedOptions(context)
  return {
    ...shared,
    series: [{}, { stroke: colours.score, width: 1.5, points: isolatedPoints }],
    scales: { ...shared.scales, y: { range: scoreRange } },
    hooks: {
      ...shared.hooks,
      drawClear: [(plot) => shadeSpans(plot, overlay().learning, colours.learning)],
      draw: [(plot) => drawThreshold(plot, colours.anomalous)],
    },
  }
}

export const scoreData = ({ time, score }: ChartColumns): UPlot.AlignedData => [time, score]

/** From zero, and always far enough to show the threshold. */
const scoreRange = (_plot: UPlot, _min: number | null, max: number | null): UPlot.Range.MinMax => [
  0,
  Math.max(SCORE_THRESHOLD * 1.5, (max ?? 0) * 1.1),
]

function drawThreshold(plot: UPlot, colour: string): void {
  const { ctx, bbox } = plot
  const y = Math.round(plot.valToPos(SCORE_THRESHOLD, 'y', true)) + 0.5
  ctx.save()
  ctx.strokeStyle = colour
  ctx.lineWidth = devicePixelRatio
  ctx.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio])
  ctx.beginPath()
  ctx.moveTo(bbox.left, y)
  ctx.lineTo(bbox.left + bbox.width, y)
  ctx.stroke()
  ctx.restore()
}

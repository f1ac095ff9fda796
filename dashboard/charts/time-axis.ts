import type UPlot from 'uplot'
import type { TimeSpan } from '../time-range.ts'
import { clamp, isWhole, pan, zoom } from './navigate.ts'

export interface TimeAxis {
  /** What the charts show now. */
  shown(): TimeSpan
  /** The whole has moved on; what is shown moves along when it was all of it. */
  setWhole(whole: TimeSpan): void
  show(span: TimeSpan): void
  pan(share: number): void
  zoom(factor: number, at?: number): void
  reset(): void
  /** Makes a chart follow; returns what ends that. */
  follow(plot: UPlot): () => void
}

/**
 * The time axis that the charts of a page share. A change reaches them with the next frame, however many come
 * before it; `onChange` hears of it, with undefined when all is shown.
 */
export function createTimeAxis(
  whole: TimeSpan,
  shownAtFirst: TimeSpan | undefined,
  onChange: (shown: TimeSpan | undefined) => void,
): TimeAxis {
  const plots = new Set<UPlot>()
  let shown = shownAtFirst ? clamp(shownAtFirst, whole) : whole
  let drawing = false

  const draw = () => {
    drawing = false
    for (const plot of plots) plot.setScale('x', secondsOf(shown))
  }
  const drawSoon = () => {
    if (!drawing) requestAnimationFrame(draw)
    drawing = true
  }
  const show = (span: TimeSpan) => {
    shown = span
    onChange(isWhole(shown, whole) ? undefined : shown)
    drawSoon()
  }
  return {
    shown: () => shown,
    setWhole: (moved) => {
      shown = isWhole(shown, whole) ? moved : clamp(shown, moved)
      whole = moved
      drawSoon()
    },
    show: (span) => show(clamp(span, whole)),
    pan: (share) => show(pan(shown, whole, share)),
    zoom: (factor, at) => show(zoom(shown, whole, factor, at)),
    reset: () => show(whole),
    follow: (plot) => {
      plots.add(plot)
      return () => plots.delete(plot)
    },
  }
}

/** As uPlot has it. */
export const secondsOf = ({ from, to }: TimeSpan) => ({ min: from / 1000, max: to / 1000 })

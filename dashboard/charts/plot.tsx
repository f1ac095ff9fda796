import { useEffect, useRef } from 'preact/hooks'
import UPlot from 'uplot'
import { bindGestures } from './gestures.ts'
import { secondsOf, type TimeAxis } from './time-axis.ts'

export interface PlotProps {
  /** Everything but the size, which is that of the element. Must be memoised: a new object is a new plot. */
  options: Omit<UPlot.Options, 'width' | 'height'>
  data: UPlot.AlignedData
  axis: TimeAxis
  /** What the picture shows, for those who do not see it. */
  label: string
  class: string
}

/** A uPlot chart that fills its element and follows the page's time axis. */
export function Plot({ options, data, axis, label, class: className }: PlotProps) {
  const element = useRef<HTMLDivElement>(null)
  const plot = useRef<UPlot>(undefined)
  useEffect(() => {
    const box = element.current!
    const size = () => ({ width: box.clientWidth, height: box.clientHeight })
    const made = new UPlot({ ...options, ...size() }, data, box)
    plot.current = made
    made.setScale('x', secondsOf(axis.shown()))
    const unfollow = axis.follow(made)
    const unbind = bindGestures(made.over, axis)
    const observer = new ResizeObserver(() => made.setSize(size()))
    observer.observe(box)
    return () => {
      observer.disconnect()
      unbind()
      unfollow()
      made.destroy()
    }
  }, [options, axis])
  // Data that has grown does not make a new chart, under which a drag that is under way would end.
  useEffect(() => {
    if (!plot.current || plot.current.data === data) return
    plot.current.setData(data, false)
    plot.current.setScale('x', secondsOf(axis.shown()))
  }, [data])
  return <div ref={element} class={`plot ${className}`} role="img" aria-label={label} />
}

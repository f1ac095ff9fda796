import { useEffect, useRef } from 'preact/hooks'
import UPlot from 'uplot'

export interface PlotProps {
  /** Everything but the size, which is that of the element. Must be memoised: a new object is a new plot. */
  options: Omit<UPlot.Options, 'width' | 'height'>
  data: UPlot.AlignedData
  /** What the picture shows, for those who do not see it. */
  label: string
  class: string
}

/** A uPlot chart that fills its element. */
export function Plot({ options, data, label, class: className }: PlotProps) {
  const element = useRef<HTMLDivElement>(null)
  useEffect(() => {
    const box = element.current!
    const size = () => ({ width: box.clientWidth, height: box.clientHeight })
    const plot = new UPlot({ ...options, ...size() }, data, box)
    const observer = new ResizeObserver(() => plot.setSize(size()))
    observer.observe(box)
    return () => {
      observer.disconnect()
      plot.destroy()
    }
  }, [options, data])
  return <div ref={element} class={`plot ${className}`} role="img" aria-label={label} />
}

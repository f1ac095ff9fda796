import { formatCount } from '../format.ts'

export interface Bar {
  label: string
  value: number
}

/** Bars of equal width from zero, the greatest as high as the chart. The numbers are read in the table beside it. */
export function BarChart({ bars, label }: { bars: Bar[]; label: string }) {
  const greatest = Math.max(1, ...bars.map(({ value }) => value))
  return (
    <figure class="bar-chart">
      <figcaption>
        <span>{formatCount(greatest)}</span>
      </figcaption>
      <svg viewBox={`0 0 ${bars.length} 100`} preserveAspectRatio="none" role="img" aria-label={label}>
        {bars.map(({ label: name, value }, index) => {
          const height = (value / greatest) * 100
          return (
            <rect key={name} x={index + 0.12} width={0.76} y={100 - height} height={height}>
              <title>{`${name}: ${formatCount(value)}`}</title>
            </rect>
          )
        })}
      </svg>
      <p class="bar-ends" aria-hidden="true">
        <span>{bars[0]?.label}</span>
        <span>{bars.at(-1)?.label}</span>
      </p>
    </figure>
  )
}

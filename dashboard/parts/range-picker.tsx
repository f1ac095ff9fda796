import { metricHref } from '../route.ts'
import { RANGES, type RangeName } from '../time-range.ts'

/** Links, not buttons: each range has an address of its own. */
export function RangePicker(props: { deviceId: string; metricId: string; range: RangeName }) {
  return (
    <nav aria-label="Time range" class="ranges">
      {RANGES.map(({ name, label }) => (
        <a
          key={name}
          href={metricHref(props.deviceId, props.metricId, name)}
          aria-current={name === props.range ? 'true' : undefined}
        >
          {label}
        </a>
      ))}
    </nav>
  )
}

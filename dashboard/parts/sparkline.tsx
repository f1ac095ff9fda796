export interface SparklineProps {
  points: { time: number; value: number }[]
  /** The instant to mark. */
  mark: number
  label: string
}

const WIDTH = 160
const HEIGHT = 36
/** Room for the line's own width and the mark. */
const INSET = 3

/** A small line of values over time, with one of them marked. */
export function Sparkline({ points, mark, label }: SparklineProps) {
  const place = placeIn(points)
  const line = points.map((point) => place(point).join(',')).join(' ')
  const marked = points.find(({ time }) => time >= mark)
  return (
    <svg
      class="sparkline"
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={label}
    >
      <polyline points={line} />
      {/* A line without length is a dot that stays round however the picture is stretched. */}
      {marked && <path class="mark" d={`M${place(marked).join(' ')}h0`} />}
    </svg>
  )
}

function placeIn(points: SparklineProps['points']) {
  const times = points.map(({ time }) => time)
  const values = points.map(({ value }) => value)
  const scale = (all: number[], size: number) => {
    const [least, greatest] = [Math.min(...all), Math.max(...all)]
    const per = greatest > least ? (size - 2 * INSET) / (greatest - least) : 0
    return (value: number) => rounded(INSET + (value - least) * per)
  }
  const [x, y] = [scale(times, WIDTH), scale(values, HEIGHT)]
  return ({ time, value }: { time: number; value: number }) => [x(time), rounded(HEIGHT - y(value))]
}

const rounded = (value: number) => Math.round(value * 10) / 10

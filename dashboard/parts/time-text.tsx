import { formatAgo, formatTime } from '../format.ts'

/** An instant in the reader's own time zone, in UTC on hover; a dash for none. */
export function TimeText({ time }: { time: number | null }) {
  if (time === null) return <>–</>
  return (
    <time dateTime={isoOf(time)} title={utcOf(time)}>
      {formatTime(time)}
    </time>
  )
}

/** How long ago, the instant itself on hover. */
export function AgoText({ time, now }: { time: number | null; now: number }) {
  if (time === null) return <>–</>
  return (
    <time dateTime={isoOf(time)} title={`${formatTime(time)}, ${utcOf(time)}`}>
      {formatAgo(time, now)}
    </time>
  )
}

const isoOf = (time: number) => new Date(time).toISOString()

const utcOf = (time: number) => `${isoOf(time).slice(0, 19).replace('T', ' ')} UTC`

import { formatTime } from '../format.ts'

/** An instant in the reader's own time zone, in UTC on hover; a dash for none. */
export function TimeText({ time }: { time: number | null }) {
  if (time === null) return <>–</>
  const iso = new Date(time).toISOString()
  return (
    <time dateTime={iso} title={`${iso.slice(0, 19).replace('T', ' ')} UTC`}>
      {formatTime(time)}
    </time>
  )
}

import type { ComponentChildren } from 'preact'
import { counted, formatCount, formatDuration, formatNumber } from '../format.ts'
import { AgoText } from '../parts/time-text.tsx'
import { alertsHref, usageHref } from '../route.ts'
import type { Overview } from './load-overview.ts'

/** Older than this, what waits for the database is no longer on its usual way. */
const SLOW_AFTER_SECONDS = 300

/** Ingestion at a glance, and what needs a look. */
export function FlowTiles({ overview }: { overview: Overview }) {
  const { now, status, datapointsToday, openAlerts, silent } = overview
  const waiting = status.oldest_pending_seconds
  const failed = status.batches_failed
  return (
    <dl class="tiles">
      <Tile name="Datapoints today" href={usageHref()} note={rateNote(status.rate.datapoints_per_second)}>
        {formatCount(datapointsToday)}
      </Tile>
      <Tile name="Last batch" note={`Last window scored: ${scoredNote(overview)}`}>
        <AgoText time={status.last_batch_at} now={now} />
      </Tile>
      <Tile
        name="Queue"
        note={waiting === null ? 'Nothing waits' : `Oldest waits ${formatDuration(waiting * 1000)}`}
        bad={waiting !== null && waiting > SLOW_AFTER_SECONDS}
      >
        {counted(status.batches_pending, 'batch', 'batches')}
      </Tile>
      <Tile name="Failed batches" bad={failed !== 0} note={failureNote(failed)}>
        {failed === null ? '?' : formatCount(failed)}
      </Tile>
      <Tile name="Devices silent" bad={silent.data.length > 0} note="For longer than usual">
        {`${formatCount(silent.data.length)}${silent.next_cursor === null ? '' : '+'}`}
      </Tile>
      <Tile
        name="Open alerts"
        href={alertsHref({ open: true })}
        bad={openAlerts.length > 0}
        note={alertNote(overview)}
      >
        {formatCount(openAlerts.length)}
      </Tile>
    </dl>
  )
}

interface TileProps {
  name: string
  note: string
  children: ComponentChildren
  href?: string | undefined
  /** Marked, as it needs a look. */
  bad?: boolean
}

function Tile({ name, note, children, href, bad = false }: TileProps) {
  return (
    <div class={bad ? 'tile bad' : 'tile'}>
      <dt>{name}</dt>
      <dd>
        <span class="figure">{href ? <a href={href}>{children}</a> : children}</span>
        <span class="tile-note">{note}</span>
      </dd>
    </div>
  )
}

const rateNote = (perSecond: number) => `${formatNumber(Math.round(perSecond * 10) / 10)} a second now`

/** Not to know is not that all is well. */
function failureNote(failed: number | null): string {
  if (failed === null) return 'Not known: the database is away'
  return failed > 0 ? 'Could not be stored' : 'All could be stored'
}

function scoredNote({ now, status }: Overview): string {
  const end = status.last_scored_window_end
  return end === null ? 'none yet' : `${formatDuration(Math.max(0, now - end))} ago`
}

function alertNote({ openAlerts }: Overview): string {
  if (openAlerts.length === 0) return 'All is quiet'
  const metrics = new Set(openAlerts.flatMap(({ metric_id }) => metric_id ?? [])).size
  const devices = openAlerts.reduce((sum, { silent_count }) => sum + (silent_count ?? 0), 0)
  const parts = [
    ...(metrics > 0 ? [`On ${counted(metrics, 'metric')}`] : []),
    ...(devices > 0 ? [`${counted(devices, 'device')} silent`] : []),
  ]
  return parts.join(', ')
}

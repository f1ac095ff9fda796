import type { Device, Page } from '../api/schemas.ts'
import { formatDuration } from '../format.ts'
import type { Column } from '../parts/data-table.tsx'
import { GrowingTable } from '../parts/growing-table.tsx'
import { NamedLink } from '../parts/named-link.tsx'
import { AgoText } from '../parts/time-text.tsx'
import { deviceHref } from '../route.ts'

/** Devices that have sent nothing for longer than is usual for them: of those that were read, the longest silence first. */
export function SilentDevices({ devices, now }: { devices: Page<Device>; now: number }) {
  if (devices.data.length === 0) return null
  const rows = devices.data.toSorted((a, b) => a.last_seen_at - b.last_seen_at)
  const columns: Column<Device>[] = [
    {
      head: 'Device',
      cell: ({ id, external_id }) => <NamedLink href={deviceHref(id)} name={external_id} />,
    },
    { head: 'Last seen', cell: ({ last_seen_at }) => <AgoText time={last_seen_at} now={now} /> },
    {
      head: 'Usually every',
      cell: ({ cadence_seconds: seconds }) => (seconds === null ? '–' : formatDuration(seconds * 1000)),
    },
  ]
  return (
    <section aria-labelledby="silent">
      <h2 id="silent">Silent for longer than usual</h2>
      <GrowingTable
        caption="Silent devices"
        columns={columns}
        rows={rows}
        rowKey={({ id }) => id}
        step={10}
      />
      {devices.next_cursor !== null && <p class="note">There are more than these.</p>}
    </section>
  )
}

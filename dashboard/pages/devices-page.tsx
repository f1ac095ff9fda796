import { useApi } from '../api/api-context.ts'
import type { Device } from '../api/schemas.ts'
import { usePages } from '../api/use-pages.ts'
import { formatNumber } from '../format.ts'
import type { Column } from '../parts/data-table.tsx'
import { FirstSteps } from '../parts/first-steps.tsx'
import { PageHeader } from '../parts/page-header.tsx'
import { PagedTable } from '../parts/paged-table.tsx'
import { TimeText } from '../parts/time-text.tsx'
import { deviceHref } from '../route.ts'

const columns: Column<Device>[] = [
  {
    head: 'Device',
    cell: ({ id, external_id }) => (
      <a href={deviceHref(id)}>
        <bdi>{external_id}</bdi>
      </a>
    ),
  },
  { head: 'Last seen', cell: ({ last_seen_at }) => <TimeText time={last_seen_at} /> },
  { head: 'Metrics', cell: ({ metric_count }) => formatNumber(metric_count), numeric: true },
]

/** Every device of the tenant. */
export function DevicesPage() {
  const api = useApi()
  const pages = usePages('devices', (cursor, read) => api.devices(cursor, read))
  const empty = pages.rows.length === 0 && !pages.busy && !pages.error
  return (
    <>
      <PageHeader title="Devices" />
      {empty ? (
        <FirstSteps now={Date.now()} />
      ) : (
        <PagedTable caption="Devices" columns={columns} pages={pages} rowKey={({ id }) => id} />
      )}
    </>
  )
}

import { useApi } from '../api/api-context.ts'
import type { Device } from '../api/schemas.ts'
import { useDebounced } from '../api/use-debounced.ts'
import { usePages } from '../api/use-pages.ts'
import { formatCount } from '../format.ts'
import type { Column } from '../parts/data-table.tsx'
import { FirstSteps } from '../parts/first-steps.tsx'
import { NamedLink } from '../parts/named-link.tsx'
import { PageHeader } from '../parts/page-header.tsx'
import { PagedTable } from '../parts/paged-table.tsx'
import { SearchBox } from '../parts/search-box.tsx'
import { TimeText } from '../parts/time-text.tsx'
import { deviceHref, devicesHref } from '../route.ts'
import { replaceRoute } from '../use-route.ts'

const columns: Column<Device>[] = [
  {
    head: 'Device',
    cell: ({ id, external_id }) => <NamedLink href={deviceHref(id)} name={external_id} />,
  },
  { head: 'Last seen', cell: ({ last_seen_at }) => <TimeText time={last_seen_at} /> },
  { head: 'Metrics', cell: ({ metric_count }) => formatCount(metric_count), numeric: true },
]

/** The tenant's devices, all or those with a name like what is searched for. */
export function DevicesPage({ search }: { search: string }) {
  const api = useApi()
  const sought = useDebounced(search.trim())
  const pages = usePages(`devices ${sought}`, (cursor, read) => api.devices({ search: sought }, cursor, read))
  const empty = pages.rows.length === 0 && !pages.busy && !pages.error
  if (empty && sought === '' && search === '') return <NoDevices />
  return (
    <>
      <PageHeader title="Devices" />
      <SearchBox label="Search devices" value={search} onInput={(text) => replaceRoute(devicesHref(text))} />
      {empty ? (
        <p class="card state" role="status">
          No device has “{sought}” in its name.
        </p>
      ) : (
        <PagedTable caption="Devices" columns={columns} pages={pages} rowKey={({ id }) => id} />
      )}
    </>
  )
}

const NoDevices = () => (
  <>
    <PageHeader title="Devices" />
    <FirstSteps now={Date.now()} />
  </>
)

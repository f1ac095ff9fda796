import { useApi } from '../api/api-context.ts'
import type { Metric } from '../api/schemas.ts'
import { useDebounced } from '../api/use-debounced.ts'
import { usePages } from '../api/use-pages.ts'
import type { Column } from '../parts/data-table.tsx'
import { MetricScore } from '../parts/metric-score.tsx'
import { NamedLink } from '../parts/named-link.tsx'
import { PageHeader } from '../parts/page-header.tsx'
import { PagedTable } from '../parts/paged-table.tsx'
import { SearchBox } from '../parts/search-box.tsx'
import { TimeText } from '../parts/time-text.tsx'
import { deviceHref, devicesHref, metricHref } from '../route.ts'
import { replaceRoute } from '../use-route.ts'

const columns: Column<Metric>[] = [
  {
    head: 'Metric',
    cell: ({ device_id, id, name }) => <NamedLink href={metricHref(device_id, id)} name={name} />,
  },
  { head: 'Unit', cell: ({ unit }) => <bdi>{unit ?? '–'}</bdi> },
  { head: 'Last value', cell: ({ last_ts }) => <TimeText time={last_ts} /> },
  { head: 'Last score', cell: (metric) => <MetricScore metric={metric} />, numeric: true },
]

/** The metrics of one device. */
export function DevicePage({ deviceId, search }: { deviceId: string; search: string }) {
  const api = useApi()
  const sought = useDebounced(search.trim())
  const pages = usePages(`${deviceId} ${sought}`, (cursor, read) =>
    api.deviceMetrics(deviceId, sought, cursor, read),
  )
  const empty = pages.rows.length === 0 && !pages.busy && !pages.error
  return (
    <>
      <PageHeader
        title={pages.rows[0]?.device ?? 'Device'}
        crumbs={[{ label: 'Devices', href: devicesHref() }]}
      />
      <SearchBox
        label="Search metrics"
        value={search}
        onInput={(text) => replaceRoute(deviceHref(deviceId, text))}
      />
      {/* A device that does not exist looks the same: the API does not tell the two apart. */}
      {empty ? (
        <p class="card state" role="status">
          {sought === '' ? 'There are no metrics here.' : `No metric has “${sought}” in its name.`}
        </p>
      ) : (
        <PagedTable caption="Metrics" columns={columns} pages={pages} rowKey={({ id }) => id} />
      )}
    </>
  )
}

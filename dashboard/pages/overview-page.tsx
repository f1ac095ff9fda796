import { useApi } from '../api/api-context.ts'
import { useLive } from '../api/use-live.ts'
import { useResource } from '../api/use-resource.ts'
import { FirstSteps } from '../parts/first-steps.tsx'
import { PageHeader } from '../parts/page-header.tsx'
import { Loaded } from '../parts/states.tsx'
import { FlowTiles } from './flow-tiles.tsx'
import { loadOverview } from './load-overview.ts'
import { SilentDevices } from './silent-devices.tsx'
import { TopAnomalies } from './top-anomalies.tsx'
import { Warnings } from './warnings.tsx'

const REFRESH_MS = 30_000

/** Whether the fleet is well, at a glance. */
export function OverviewPage() {
  const api = useApi()
  const { resource, reload, refresh } = useResource('overview', (read) => loadOverview(api, Date.now(), read))
  useLive(refresh, REFRESH_MS)
  return (
    <>
      <PageHeader title="Overview" />
      <Loaded resource={resource} reload={reload}>
        {(overview) =>
          overview.status.series_used === 0 ? (
            <FirstSteps now={overview.now} />
          ) : (
            <>
              <FlowTiles overview={overview} />
              <Warnings warnings={overview.status.warnings} />
              <TopAnomalies
                anomalies={overview.anomalies}
                lastScored={overview.status.last_scored_window_end}
              />
              <SilentDevices devices={overview.silent} now={overview.now} />
            </>
          )
        }
      </Loaded>
    </>
  )
}

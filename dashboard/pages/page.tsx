import { PageHeader } from '../parts/page-header.tsx'
import { devicesHref, type Route } from '../route.ts'
import { DevicePage } from './device-page.tsx'
import { DevicesPage } from './devices-page.tsx'
import { MetricPage } from './metric-page.tsx'

/** The page of a route. Keys make a page of another device or metric start afresh. */
export function Page({ route }: { route: Route }) {
  switch (route.page) {
    case 'devices':
      return <DevicesPage />
    case 'device':
      return <DevicePage key={route.deviceId} deviceId={route.deviceId} />
    case 'metric':
      return <MetricPage key={route.metricId} {...route} />
    case 'not-found':
      return (
        <PageHeader title="There is no such page">
          <p>
            <a href={devicesHref()}>All devices</a>
          </p>
        </PageHeader>
      )
  }
}

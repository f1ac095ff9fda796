import { PageHeader } from '../parts/page-header.tsx'
import { overviewHref, type Route } from '../route.ts'
import { AlertsPage } from './alerts-page.tsx'
import { BatchesPage } from './batches-page.tsx'
import { DevicePage } from './device-page.tsx'
import { DevicesPage } from './devices-page.tsx'
import { MetricPage } from './metric-page.tsx'
import { OverviewPage } from './overview-page.tsx'
import { RulePage } from './rule-page.tsx'
import { UsagePage } from './usage-page.tsx'
import { WebhookPage } from './webhook-page.tsx'
import { WebhooksPage } from './webhooks-page.tsx'

/** The page of a route. Keys make a page of another thing start afresh. */
export function Page({ route }: { route: Route }) {
  switch (route.page) {
    case 'overview':
      return <OverviewPage />
    case 'devices':
      return <DevicesPage search={route.search} />
    case 'device':
      return <DevicePage key={route.deviceId} deviceId={route.deviceId} search={route.search} />
    case 'metric':
      return <MetricPage key={route.metricId} route={route} />
    case 'alerts':
      return <AlertsPage route={route} />
    case 'rule':
      return (
        <RulePage
          key={route.ruleId ?? `new ${route.metricId}`}
          ruleId={route.ruleId}
          metricId={route.metricId}
        />
      )
    case 'webhooks':
      return <WebhooksPage />
    case 'webhook':
      return <WebhookPage key={route.webhookId} webhookId={route.webhookId} />
    case 'usage':
      return <UsagePage days={route.days} />
    case 'batches':
      return <BatchesPage key={route.batchId} batchId={route.batchId} />
    case 'not-found':
      return (
        <PageHeader title="There is no such page">
          <p>
            <a href={overviewHref()}>Overview</a>
          </p>
        </PageHeader>
      )
  }
}

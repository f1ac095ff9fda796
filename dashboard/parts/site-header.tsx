import {
  alertsHref,
  batchesHref,
  devicesHref,
  overviewHref,
  type Route,
  usageHref,
  webhooksHref,
} from '../route.ts'

const AREAS: { label: string; href: string; pages: Route['page'][] }[] = [
  { label: 'Overview', href: overviewHref(), pages: ['overview'] },
  { label: 'Devices', href: devicesHref(), pages: ['devices', 'device', 'metric'] },
  { label: 'Alerts', href: alertsHref(), pages: ['alerts', 'rule'] },
  { label: 'Webhooks', href: webhooksHref(), pages: ['webhooks', 'webhook'] },
  { label: 'Usage', href: usageHref(), pages: ['usage'] },
  { label: 'Batches', href: batchesHref(), pages: ['batches'] },
]

export interface SiteHeaderProps {
  page: Route['page']
  /** Only while a key is in use. */
  signOut: (() => void) | undefined
}

/** Shown on every page. */
export function SiteHeader({ page, signOut }: SiteHeaderProps) {
  return (
    <header class="site-header">
      <a class="wordmark" href={overviewHref()}>
        <img src="/favicon.svg" alt="" width="24" height="24" />
        EdgePulse
      </a>
      {signOut && (
        <>
          <nav class="site-nav" aria-label="Main">
            {AREAS.map(({ label, href, pages }) => (
              <a key={label} href={href} aria-current={pages.includes(page) ? 'page' : undefined}>
                {label}
              </a>
            ))}
          </nav>
          <button type="button" class="quiet" onClick={signOut}>
            Sign out
          </button>
        </>
      )}
    </header>
  )
}

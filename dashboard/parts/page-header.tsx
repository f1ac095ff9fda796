import type { ComponentChildren } from 'preact'
import { useEffect } from 'preact/hooks'

export interface Crumb {
  label: string
  href: string
}

/** A page's title with the way back up; also names the browser's tab. */
export function PageHeader(props: { title: string; crumbs?: Crumb[]; children?: ComponentChildren }) {
  const { title, crumbs = [], children } = props
  useEffect(() => {
    document.title = `${title} · EdgePulse`
  }, [title])
  return (
    <div class="page-header">
      {crumbs.length > 0 && (
        <nav aria-label="Breadcrumb">
          <ol class="crumbs">
            {crumbs.map(({ label, href }) => (
              <li key={href}>
                <a href={href}>
                  <bdi>{label}</bdi>
                </a>
              </li>
            ))}
          </ol>
        </nav>
      )}
      <h1>
        <bdi>{title}</bdi>
      </h1>
      {children}
    </div>
  )
}

import { devicesHref } from '../route.ts'

/** Shown on every page; `signOut` only while a key is in use. */
export function SiteHeader({ signOut }: { signOut: (() => void) | undefined }) {
  return (
    <header class="site-header">
      <a class="wordmark" href={devicesHref()}>
        <img src="/favicon.svg" alt="" width="24" height="24" />
        EdgePulse
      </a>
      {signOut && (
        <>
          <nav class="site-nav" aria-label="Main">
            <a href={devicesHref()}>Devices</a>
          </nav>
          <button type="button" class="quiet" onClick={signOut}>
            Sign out
          </button>
        </>
      )}
    </header>
  )
}

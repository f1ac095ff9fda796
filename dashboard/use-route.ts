import { useEffect, useState } from 'preact/hooks'
import { parseRoute } from './route.ts'

/** The route that the address bar shows. */
export function useRoute() {
  const [hash, setHash] = useState(location.hash)
  useEffect(() => {
    const update = () => setHash(location.hash)
    addEventListener('hashchange', update)
    return () => removeEventListener('hashchange', update)
  }, [])
  return parseRoute(hash)
}

/** Changes the state of the page that is shown, without a step in the history: typing, zooming. */
export function replaceRoute(href: string): void {
  if (href === location.hash) return
  history.replaceState(null, '', href)
  dispatchEvent(new Event('hashchange'))
}

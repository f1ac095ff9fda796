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

import { useEffect, useRef } from 'preact/hooks'

/** Calls `refresh` every `everyMs` while `on` and while somebody looks, and at once when they look again. */
export function useLive(refresh: () => void, everyMs: number, on = true): void {
  const latest = useRef(refresh)
  latest.current = refresh
  useEffect(() => {
    if (!on) return
    const look = () => document.visibilityState === 'visible' && latest.current()
    const timer = setInterval(look, everyMs)
    document.addEventListener('visibilitychange', look)
    return () => {
      clearInterval(timer)
      document.removeEventListener('visibilitychange', look)
    }
  }, [everyMs, on])
}

import { useEffect, useState } from 'preact/hooks'
import type { ReadOptions } from './api.ts'

export type Resource<T> =
  | { state: 'loading'; progress: number }
  | { state: 'ready'; value: T }
  | { state: 'error'; error: Error }

/**
 * Loads when shown, again whenever `key` changes or `reload` is called. `key` must name all that `load`
 * depends on. What was loaded for an earlier key is never shown under a later one, not for a frame.
 */
export function useResource<T>(key: string, load: (read: ReadOptions) => Promise<T>) {
  const [attempt, setAttempt] = useState(0)
  const [loaded, setLoaded] = useState<{ key: string; resource: Resource<T> }>()
  useEffect(() => {
    const abort = new AbortController()
    const show = (resource: Resource<T>) => {
      if (!abort.signal.aborted) setLoaded({ key, resource })
    }
    show(LOADING)
    load({ signal: abort.signal, onProgress: (progress) => show({ state: 'loading', progress }) }).then(
      (value) => show({ state: 'ready', value }),
      (error: Error) => show({ state: 'error', error }),
    )
    return () => abort.abort()
  }, [key, attempt])
  const resource = loaded?.key === key ? loaded.resource : LOADING
  return { resource, reload: () => setAttempt((count) => count + 1) }
}

const LOADING = { state: 'loading', progress: 0 } as const

import { useEffect, useState } from 'preact/hooks'
import type { ReadOptions } from './api.ts'

export type Resource<T> =
  | { state: 'loading'; progress: number }
  | { state: 'ready'; value: T }
  | { state: 'error'; error: Error }

/**
 * Loads when shown, again whenever `key` changes or `reload` is called. `key` must name all that `load`
 * depends on; an answer for an earlier key is dropped.
 */
export function useResource<T>(key: string, load: (read: ReadOptions) => Promise<T>) {
  const [resource, setResource] = useState<Resource<T>>({ state: 'loading', progress: 0 })
  const [attempt, setAttempt] = useState(0)
  useEffect(() => {
    const abort = new AbortController()
    const show = (next: Resource<T>) => {
      if (!abort.signal.aborted) setResource(next)
    }
    show({ state: 'loading', progress: 0 })
    load({ signal: abort.signal, onProgress: (progress) => show({ state: 'loading', progress }) }).then(
      (value) => show({ state: 'ready', value }),
      (error: Error) => show({ state: 'error', error }),
    )
    return () => abort.abort()
  }, [key, attempt])
  return { resource, reload: () => setAttempt((count) => count + 1) }
}

import { useEffect, useRef, useState } from 'preact/hooks'
import type { ReadOptions } from './request.ts'

export type Resource<T> =
  | { state: 'loading'; progress: number }
  /** `stale`: why the last refresh failed, while the value of the one before is shown. */
  | { state: 'ready'; value: T; stale: Error | undefined }
  | { state: 'error'; error: Error }

type Load<T> = (read: ReadOptions, previous: T | undefined) => Promise<T>

/**
 * Loads when shown, again whenever `key` changes or `reload` is called; `refresh` does so unseen and hands
 * `load` the value that it replaces. `key` must name all that `load` depends on: what was loaded for an earlier
 * key is never shown under a later one, not for a frame.
 */
export function useResource<T>(key: string, load: Load<T>) {
  const [loaded, setLoaded] = useState<{ key: string; resource: Resource<T> }>()
  const abort = useRef<AbortController>(undefined)
  const latest = useRef(load)
  latest.current = load

  const read = (previous: T | undefined) => {
    abort.current?.abort()
    abort.current = new AbortController()
    const { signal } = abort.current
    const show = (resource: Resource<T>) => {
      if (!signal.aborted) setLoaded({ key, resource })
    }
    const onProgress = (progress: number) => {
      if (previous === undefined) show({ state: 'loading', progress })
    }
    onProgress(0)
    latest.current({ signal, onProgress }, previous).then(
      (value) => show({ state: 'ready', value, stale: undefined }),
      (error: Error) =>
        show(
          previous === undefined
            ? { state: 'error', error }
            : { state: 'ready', value: previous, stale: error },
        ),
    )
  }
  useEffect(() => {
    read(undefined)
    return () => abort.current?.abort()
  }, [key])

  const resource = loaded?.key === key ? loaded.resource : LOADING
  const refresh = () => {
    if (resource.state === 'ready') read(resource.value)
  }
  return { resource, reload: () => read(undefined), refresh }
}

const LOADING = { state: 'loading', progress: 0 } as const

import type { ComponentChildren } from 'preact'
import type { Resource } from '../api/use-resource.ts'
import { formatCount } from '../format.ts'

/** Said to screen readers too, as it is in place before the rows are. */
export function Loading({ progress = 0 }: { progress?: number }) {
  return (
    <p class="state" role="status">
      <span class="spinner" />
      {progress > 0 ? `Loading… ${formatCount(progress)} rows so far` : 'Loading…'}
    </p>
  )
}

export function ErrorNote({ error, retry }: { error: Error; retry?: () => void }) {
  return (
    <div class="state error" role="alert">
      <p>{error.message}</p>
      {retry && (
        <button type="button" onClick={retry}>
          Try again
        </button>
      )}
    </div>
  )
}

export interface LoadedProps<T> {
  resource: Resource<T>
  reload: () => void
  children: (value: T) => ComponentChildren
}

/** What a resource holds, or why it does not: loading, a fault with a way to try again, or a refresh that failed. */
export function Loaded<T>({ resource, reload, children }: LoadedProps<T>) {
  if (resource.state === 'loading') return <Loading progress={resource.progress} />
  if (resource.state === 'error') return <ErrorNote error={resource.error} retry={reload} />
  return (
    <>
      {resource.stale && (
        <p class="note" role="status">
          This is no longer the newest: {resource.stale.message}
        </p>
      )}
      {children(resource.value)}
    </>
  )
}

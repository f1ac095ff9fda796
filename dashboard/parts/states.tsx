import { formatNumber } from '../format.ts'

/** Said to screen readers too, as it is in place before the rows are. */
export function Loading({ progress = 0 }: { progress?: number }) {
  return (
    <p class="state" role="status">
      <span class="spinner" />
      {progress > 0 ? `Loading… ${formatNumber(progress)} rows so far` : 'Loading…'}
    </p>
  )
}

export function ErrorNote({ error, retry }: { error: Error; retry: () => void }) {
  return (
    <div class="state error" role="alert">
      <p>{error.message}</p>
      <button type="button" onClick={retry}>
        Try again
      </button>
    </div>
  )
}

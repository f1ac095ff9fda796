import { useApi } from '../api/api-context.ts'
import type { Delivery } from '../api/schemas.ts'
import { useAction } from '../api/use-action.ts'
import type { Pages } from '../api/use-pages.ts'
import { counted, formatNumber } from '../format.ts'
import type { Column } from '../parts/data-table.tsx'
import { PagedTable } from '../parts/paged-table.tsx'
import { ErrorNote } from '../parts/states.tsx'
import { TimeText } from '../parts/time-text.tsx'

const PILLS = { pending: 'learning', delivered: 'ready', failed: 'failed' }

/** What was sent to a webhook, newest first, each with its attempts and a way to send it again. */
export function DeliveryTable({
  pages,
}: {
  pages: Pages<Delivery> & { more: () => void; refresh: () => void }
}) {
  const api = useApi()
  const { busy, error, run } = useAction()
  if (pages.rows.length === 0 && !pages.busy && !pages.error) {
    return <p class="card state">Nothing was sent yet. Send a test to see whether the receiver answers.</p>
  }
  const columns: Column<Delivery>[] = [
    { head: 'Message', cell: ({ type }) => <code>{type}</code> },
    { head: 'State', cell: ({ state }) => <span class={`pill ${PILLS[state]}`}>{state}</span> },
    { head: 'Next attempt', cell: ({ next_attempt_at }) => <TimeText time={next_attempt_at} /> },
    { head: 'Attempts', cell: ({ attempts }) => <Attempts attempts={attempts} /> },
    {
      head: 'Replay',
      cell: ({ id, type }) => (
        <button
          type="button"
          disabled={busy}
          onClick={() => run(() => api.retryDelivery(id).then(pages.refresh))}
        >
          Send again<span class="visually-hidden"> {type}</span>
        </button>
      ),
    },
  ]
  return (
    <>
      {error && <ErrorNote error={error} />}
      <PagedTable
        caption="Deliveries, newest first"
        columns={columns}
        pages={pages}
        rowKey={({ id }) => id}
      />
    </>
  )
}

/** The last attempt in sight, those before it on demand. */
function Attempts({ attempts }: { attempts: Delivery['attempts'] }) {
  const last = attempts.at(-1)
  if (!last) return <>none yet</>
  if (attempts.length === 1) return <Attempt attempt={last} />
  return (
    <details>
      <summary>{counted(attempts.length, 'attempt')}</summary>
      <ol class="attempts">
        {attempts.map((attempt) => (
          <li key={attempt.at}>
            <Attempt attempt={attempt} />
          </li>
        ))}
      </ol>
    </details>
  )
}

const Attempt = ({
  attempt: { at, status, duration_ms, error },
}: {
  attempt: Delivery['attempts'][number]
}) => (
  <>
    <strong>{status ?? 'no answer'}</strong> in {formatNumber(duration_ms)} ms, <TimeText time={at} />
    {error !== null && <span class="attempt-error">{error}</span>}
  </>
)

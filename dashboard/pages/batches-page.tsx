import { useState } from 'preact/hooks'
import { useApi } from '../api/api-context.ts'
import type { Batch } from '../api/schemas.ts'
import { useLive } from '../api/use-live.ts'
import { useResource } from '../api/use-resource.ts'
import { counted } from '../format.ts'
import { Field } from '../parts/field.tsx'
import { PageHeader } from '../parts/page-header.tsx'
import { Loaded } from '../parts/states.tsx'
import { TimeText } from '../parts/time-text.tsx'
import { batchesHref } from '../route.ts'

const REFRESH_MS = 2_000

/** What became of a batch. */
export function BatchesPage({ batchId }: { batchId: string }) {
  const [entered, setEntered] = useState(batchId)
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    location.assign(batchesHref(entered.trim()))
  }
  return (
    <>
      <PageHeader title="Batches" />
      <form class="inline-form" onSubmit={submit}>
        <Field
          label="Batch id"
          value={entered}
          onInput={setEntered}
          hint="As it was sent, or as the answer to it named it: sha256-…"
        />
        <button type="submit" class="primary">
          Look up
        </button>
      </form>
      {batchId !== '' && <FoundBatch key={batchId} batchId={batchId} />}
    </>
  )
}

function FoundBatch({ batchId }: { batchId: string }) {
  const api = useApi()
  const { resource, reload, refresh } = useResource(batchId, (read) => api.batch(batchId, read))
  useLive(refresh, REFRESH_MS, resource.state === 'ready' && resource.value.status === 'accepted')
  return (
    <Loaded resource={resource} reload={reload}>
      {(batch) => <BatchFacts batch={batch} />}
    </Loaded>
  )
}

const MEANING = {
  accepted: 'Safe, and on its way to the database.',
  persisted: 'Its datapoints can be read.',
  failed: 'It could not be stored; ask your operator to send it again.',
}

const BatchFacts = ({ batch }: { batch: Batch }) => (
  <dl class="card record" aria-live="polite">
    <dt>Batch</dt>
    <dd>
      <bdi>{batch.batch_id}</bdi>
    </dd>
    <dt>Status</dt>
    <dd>
      <span class={`pill ${batch.status}`}>{batch.status}</span> {MEANING[batch.status]}
    </dd>
    {batch.error !== null && (
      <>
        <dt>Error</dt>
        <dd class="error">{batch.error}</dd>
      </>
    )}
    <dt>Accepted</dt>
    <dd>{counted(batch.datapoints, 'datapoint')}</dd>
    <dt>Received</dt>
    <dd>
      <TimeText time={batch.received_at} />
    </dd>
    <dt>Readable since</dt>
    <dd>
      <TimeText time={batch.persisted_at} />
    </dd>
    <dt>Archived as</dt>
    <dd>
      <code>{batch.r2_key}</code>
    </dd>
  </dl>
)

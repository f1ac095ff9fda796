import { useState } from 'preact/hooks'
import { useApi } from '../api/api-context.ts'
import type { Alert } from '../api/schemas.ts'
import { useAction } from '../api/use-action.ts'
import { ErrorNote } from '../parts/states.tsx'
import { TimeText } from '../parts/time-text.tsx'

/** Who looks next sees that somebody has taken notice of an alert, and what they had to say. */
export function Acknowledgement({ alert, onChange }: { alert: Alert; onChange: () => void }) {
  const { acknowledged_at: at, acknowledgement_note: note } = alert
  if (at == null) return <AcknowledgeForm id={alert.id} onChange={onChange} />
  return (
    <>
      <TimeText time={at} />
      {note != null && (
        <>
          : <bdi>{note}</bdi>
        </>
      )}
    </>
  )
}

function AcknowledgeForm({ id, onChange }: { id: string; onChange: () => void }) {
  const api = useApi()
  const [note, setNote] = useState('')
  const { busy, error, run } = useAction()
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    run(() => api.acknowledgeAlert(id, note).then(onChange))
  }
  return (
    <details>
      <summary>Acknowledge</summary>
      <form class="acknowledge" onSubmit={submit}>
        <input
          type="text"
          aria-label="Note"
          placeholder="A note, if you like"
          maxLength={2000}
          value={note}
          onInput={(event) => setNote(event.currentTarget.value)}
        />
        <button type="submit" disabled={busy}>
          Save
        </button>
      </form>
      {error && <ErrorNote error={error} />}
    </details>
  )
}

import { useState } from 'preact/hooks'
import { createApi } from '../api/api.ts'
import { apiBaseUrl } from '../api/api-base-url.ts'
import { ApiError } from '../api/api-error.ts'
import { refusalSentence } from '../api/refusal-sentence.ts'
import { PageHeader } from '../parts/page-header.tsx'

export interface KeyFormProps {
  /** Why the reader is here again. */
  notice: string | undefined
  onKey: (key: string) => void
}

/** Asks for the tenant's key and tries it before it is kept. */
export function KeyForm({ notice, onKey }: KeyFormProps) {
  const [error, setError] = useState<string>()
  const [busy, setBusy] = useState(false)

  const submit = async (event: SubmitEvent) => {
    event.preventDefault()
    const key = String(new FormData(event.currentTarget as HTMLFormElement).get('key')).trim()
    setBusy(true)
    const fault = await faultOf(key)
    setBusy(false)
    setError(fault)
    if (fault === undefined) onKey(key)
  }

  const message = error ?? notice
  return (
    <div class="card key-form">
      <PageHeader title="Open your dashboard" />
      <p>
        Enter an API key with the scope “read”. It stays in this tab and is forgotten when the tab closes.
      </p>
      <form onSubmit={submit}>
        <label for="key">API key</label>
        <input
          id="key"
          name="key"
          type="password"
          required
          autoComplete="off"
          spellcheck={false}
          placeholder="epk_…"
          aria-invalid={error !== undefined}
          aria-describedby="key-message"
        />
        <p id="key-message" class={error === undefined ? 'message' : 'message error'} role="alert">
          {message}
        </p>
        <button type="submit" class="primary" disabled={busy}>
          {busy ? 'Checking…' : 'Open'}
        </button>
      </form>
    </div>
  )
}

/** What is wrong with a key, in a sentence; undefined for one that reads. */
async function faultOf(key: string): Promise<string | undefined> {
  // Anything else cannot stand in a header.
  if (!/^[\x21-\x7e]+$/.test(key)) return refusalSentence({ code: 'invalid_api_key' })
  const api = createApi({
    baseUrl: apiBaseUrl,
    key,
    fetch: (request) => fetch(request),
    onKeyRefused: () => {},
  })
  try {
    await api.devices({}, undefined, {}, 1)
    return undefined
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    return error.refusesKey ? refusalSentence(error) : error.message
  }
}

import { useState } from 'preact/hooks'
import { DELIVERIES_LIMIT } from '../api/alerting-api.ts'
import { useApi } from '../api/api-context.ts'
import type { Webhook } from '../api/schemas.ts'
import { useAction } from '../api/use-action.ts'
import { useLive } from '../api/use-live.ts'
import { usePages } from '../api/use-pages.ts'
import { useResource } from '../api/use-resource.ts'
import { ConfirmButton } from '../parts/confirm-button.tsx'
import { PageHeader } from '../parts/page-header.tsx'
import { SecretNote } from '../parts/secret-note.tsx'
import { ErrorNote, Loaded } from '../parts/states.tsx'
import { webhooksHref } from '../route.ts'
import { DeliveryTable } from './delivery-table.tsx'

/** A delivery on its way is looked at so often; otherwise nothing changes by itself that cannot wait. */
const PENDING_REFRESH_MS = 2_000
const REFRESH_MS = 30_000

/** One webhook: what can be done with it, and what was sent to it. */
export function WebhookPage({ webhookId }: { webhookId: string }) {
  const api = useApi()
  const { resource, reload, refresh } = useResource(webhookId, (read) => api.webhook(webhookId, read))
  const pages = usePages(webhookId, (cursor, read) => api.deliveries(webhookId, cursor, read))
  const isPending = pages.rows.some(({ state }) => state === 'pending')
  // Further pages that were asked for stay: to read them all again would take ever longer.
  const isFirstPage = pages.rows.length <= DELIVERIES_LIMIT
  useLive(pages.refresh, isPending ? PENDING_REFRESH_MS : REFRESH_MS, isFirstPage)
  return (
    <>
      <PageHeader
        title={resource.state === 'ready' ? resource.value.url : 'Webhook'}
        crumbs={[{ label: 'Webhooks', href: webhooksHref() }]}
      />
      <Loaded resource={resource} reload={reload}>
        {(webhook) => <Actions webhook={webhook} onChange={refresh} onSent={pages.refresh} />}
      </Loaded>
      <h2>Deliveries</h2>
      <DeliveryTable pages={pages} />
    </>
  )
}

interface ActionsProps {
  webhook: Webhook
  onChange: () => void
  onSent: () => void
}

function Actions({ webhook: { id, enabled }, onChange, onSent }: ActionsProps) {
  const api = useApi()
  const [secret, setSecret] = useState<string>()
  const { busy, error, run } = useAction()
  const rotate = async () => setSecret((await api.rotateSecret(id)).secret)
  return (
    <>
      <p class="actions">
        <label>
          <input
            type="checkbox"
            checked={enabled}
            disabled={busy}
            onChange={() => run(() => api.changeWebhook(id, { enabled: !enabled }).then(onChange))}
          />{' '}
          Enabled
        </label>
        <button type="button" disabled={busy} onClick={() => run(() => api.testWebhook(id).then(onSent))}>
          Send a test
        </button>
        <ConfirmButton
          label="Rotate secret"
          confirm="Really make a new secret?"
          busy={busy}
          onConfirm={() => run(rotate)}
        />
        <ConfirmButton
          label="Delete"
          confirm="Really delete this webhook?"
          busy={busy}
          onConfirm={() => run(() => api.deleteWebhook(id).then(() => location.assign(webhooksHref())))}
        />
      </p>
      {!enabled && <p class="note">While it is disabled, messages wait.</p>}
      {error && <ErrorNote error={error} />}
      {secret !== undefined && <SecretNote secret={secret}>The old one signs along for 24 hours.</SecretNote>}
    </>
  )
}

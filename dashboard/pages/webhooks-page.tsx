import { useState } from 'preact/hooks'
import { useApi } from '../api/api-context.ts'
import { ApiError } from '../api/api-error.ts'
import type { Webhook } from '../api/schemas.ts'
import { useAction } from '../api/use-action.ts'
import { useResource } from '../api/use-resource.ts'
import { CommandCard } from '../parts/command-card.tsx'
import { type Column, DataTable } from '../parts/data-table.tsx'
import { Field } from '../parts/field.tsx'
import { NamedLink } from '../parts/named-link.tsx'
import { PageHeader } from '../parts/page-header.tsx'
import { SecretNote } from '../parts/secret-note.tsx'
import { ErrorNote, Loaded } from '../parts/states.tsx'
import { webhookHref } from '../route.ts'

const columns: Column<Webhook>[] = [
  {
    head: 'Address',
    cell: ({ id, url }) => <NamedLink href={webhookHref(id)} name={url} />,
  },
  {
    head: 'State',
    cell: ({ enabled }) => (
      <span class={enabled ? 'pill ready' : 'pill learning'}>{enabled ? 'enabled' : 'disabled'}</span>
    ),
  },
]

/** Where alerts are sent. */
export function WebhooksPage() {
  const api = useApi()
  const { resource, reload, refresh } = useResource('webhooks', (read) => api.webhooks(read))
  return (
    <>
      <PageHeader title="Webhooks" />
      <NewWebhook onCreated={refresh} />
      <Loaded resource={resource} reload={reload}>
        {(webhooks) =>
          webhooks.length === 0 ? (
            <FirstWebhook />
          ) : (
            <DataTable caption="Webhooks" columns={columns} rows={webhooks} rowKey={({ id }) => id} />
          )
        }
      </Loaded>
    </>
  )
}

const FirstWebhook = () => (
  <CommandCard
    title="Alerts are not sent anywhere yet"
    hint="Add an address above, or from a shell with a key that has the scope “manage”."
    path="/v1/webhooks"
    body={{ url: 'https://hooks.example.com/edgepulse' }}
  />
)

function NewWebhook({ onCreated }: { onCreated: () => void }) {
  const api = useApi()
  const [url, setUrl] = useState('')
  const [secret, setSecret] = useState<string>()
  const { busy, error, run } = useAction()
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    run(async () => {
      const created = await api.createWebhook(url)
      setSecret(created.secret)
      setUrl('')
      onCreated()
    })
  }
  const fault = error instanceof ApiError ? error.faults.find(({ path }) => path === 'url') : undefined
  return (
    <>
      <form class="inline-form" onSubmit={submit}>
        <Field
          label="New webhook"
          type="url"
          placeholder="https://hooks.example.com/edgepulse"
          hint="An https: address that the internet reaches. Alerts are sent there, signed as Standard Webhooks."
          value={url}
          onInput={setUrl}
          fault={fault?.message}
        />
        <button type="submit" class="primary" disabled={busy}>
          Add
        </button>
      </form>
      {error && !fault && <ErrorNote error={error} />}
      {secret !== undefined && (
        <SecretNote secret={secret}>The receiver verifies with it what we send.</SecretNote>
      )}
    </>
  )
}

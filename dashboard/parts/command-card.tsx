import { useId } from 'preact/hooks'
import { apiBaseUrl } from '../api/api-base-url.ts'
import { CopyButton } from './copy-button.tsx'

export interface CommandCardProps {
  title: string
  /** What the command does, and with which scope. */
  hint: string
  path: string
  body: unknown
}

/** What to do when there is nothing to show yet: a command, ready to be run in a shell. */
export function CommandCard({ title, hint, path, body }: CommandCardProps) {
  const id = useId()
  const command = commandOf(path, body)
  return (
    <section class="card command" aria-labelledby={id}>
      <h2 id={id}>{title}</h2>
      <p>
        {hint} Put the key in <code>EDGEPULSE_KEY</code> first.
      </p>
      <pre>
        <code>{command}</code>
      </pre>
      <CopyButton text={command} />
    </section>
  )
}

/** The reader's key is left out: a screen is looked at by others, and this one may only read. */
const commandOf = (path: string, body: unknown) =>
  [
    `curl -X POST '${apiBaseUrl}${path}'`,
    `-H "X-API-Key: $EDGEPULSE_KEY"`,
    `-H 'Content-Type: application/json'`,
    `-d '${JSON.stringify(body)}'`,
  ].join(' \\\n  ')

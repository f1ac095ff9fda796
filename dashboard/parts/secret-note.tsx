import { useEffect, useRef } from 'preact/hooks'
import { CopyButton } from './copy-button.tsx'

/** A secret that is shown this once. */
export function SecretNote({ secret, children }: { secret: string; children?: string }) {
  const note = useRef<HTMLDivElement>(null)
  useEffect(() => note.current?.focus(), [secret])
  return (
    <div class="card secret" ref={note} tabIndex={-1} role="status">
      <p>
        <strong>Keep this secret now: it is not shown again.</strong> {children}
      </p>
      <p>
        <code>{secret}</code>
      </p>
      <CopyButton text={secret} />
    </div>
  )
}

import { useState } from 'preact/hooks'

export function CopyButton({ text }: { text: string }) {
  const [copied, setCopied] = useState(false)
  // Browsers offer the clipboard to secure origins only.
  if (!navigator.clipboard) return null
  const copy = () =>
    navigator.clipboard.writeText(text).then(
      () => setCopied(true),
      () => setCopied(false),
    )
  return (
    <button type="button" onClick={copy}>
      <span role="status">{copied ? 'Copied' : 'Copy'}</span>
    </button>
  )
}

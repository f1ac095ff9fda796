import { useEffect, useRef, useState } from 'preact/hooks'

export interface ConfirmButtonProps {
  label: string
  /** What the second press does, in full. */
  confirm: string
  busy?: boolean
  onConfirm: () => void
}

/** A button for what cannot be undone: the first press asks, the second does; leaving it takes the question back. */
export function ConfirmButton({ label, confirm, busy = false, onConfirm }: ConfirmButtonProps) {
  const [asking, setAsking] = useState(false)
  const button = useRef<HTMLButtonElement>(null)
  useEffect(() => {
    if (asking) button.current?.focus()
  }, [asking])
  const press = () => {
    setAsking(!asking)
    if (asking) onConfirm()
  }
  return (
    <button
      ref={button}
      type="button"
      class={asking ? 'danger' : undefined}
      disabled={busy}
      onClick={press}
      onBlur={() => setAsking(false)}
    >
      <span aria-live="polite">{asking ? confirm : label}</span>
    </button>
  )
}

import type { ComponentChildren } from 'preact'
import { useId } from 'preact/hooks'

/** One by one, as each type has attributes of its own to the compiler. */
const TYPES = {
  text: { type: 'text' },
  url: { type: 'url' },
  number: { type: 'number', step: 'any' },
  'datetime-local': { type: 'datetime-local' },
} as const

export interface FieldProps {
  label: string
  value: string
  onInput: (value: string) => void
  type?: keyof typeof TYPES
  hint?: ComponentChildren
  /** What is wrong with the value. */
  fault?: string | undefined
  placeholder?: string
  maxLength?: number
  min?: number
  max?: number
}

/** A labelled input that must be filled in; its hint and its fault are read out with it. */
export function Field({ label, hint, fault, type = 'text', onInput, ...input }: FieldProps) {
  const id = useId()
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        {...input}
        {...TYPES[type]}
        id={id}
        required
        autoComplete="off"
        spellcheck={false}
        onInput={(event) => onInput(event.currentTarget.value)}
        aria-invalid={fault !== undefined}
        aria-describedby={`${id}-note`}
      />
      <p id={`${id}-note`} class={fault === undefined ? 'hint' : 'hint error'}>
        {fault ?? hint}
      </p>
    </div>
  )
}

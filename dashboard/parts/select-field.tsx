import { useId } from 'preact/hooks'

export interface SelectFieldProps<Value extends string> {
  label: string
  hint: string
  value: Value
  options: { value: Value; label: string }[]
  onPick: (value: Value) => void
}

/** A labelled choice; its hint is read out with it. */
export function SelectField<Value extends string>(props: SelectFieldProps<Value>) {
  const { label, hint, value, options, onPick } = props
  const id = useId()
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <select
        id={id}
        value={value}
        aria-describedby={`${id}-note`}
        onChange={(event) => {
          const picked = options[event.currentTarget.selectedIndex]
          if (picked) onPick(picked.value)
        }}
      >
        {options.map((option) => (
          <option key={option.value} value={option.value}>
            {option.label}
          </option>
        ))}
      </select>
      <p id={`${id}-note`} class="hint">
        {hint}
      </p>
    </div>
  )
}

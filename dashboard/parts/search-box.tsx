import { useId } from 'preact/hooks'

export interface SearchBoxProps {
  label: string
  value: string
  onInput: (value: string) => void
  placeholder?: string
}

/** A field that searches while it is typed in. */
export function SearchBox({ label, value, onInput, placeholder }: SearchBoxProps) {
  const id = useId()
  return (
    <search class="search">
      <label for={id}>{label}</label>
      <input
        id={id}
        type="search"
        value={value}
        onInput={(event) => onInput(event.currentTarget.value)}
        placeholder={placeholder}
        maxLength={128}
        autoComplete="off"
        spellcheck={false}
      />
    </search>
  )
}

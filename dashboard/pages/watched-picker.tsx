import type { ComponentChildren } from 'preact'
import { useState } from 'preact/hooks'
import type { ReadOptions } from '../api/request.ts'
import type { Page } from '../api/schemas.ts'
import { useDebounced } from '../api/use-debounced.ts'
import { useResource } from '../api/use-resource.ts'
import { SearchBox } from '../parts/search-box.tsx'
import { ErrorNote } from '../parts/states.tsx'

const SHOWN = 8

export interface WatchedPickerProps<Thing> {
  kind: 'metric' | 'device'
  /** Undefined: all of them. */
  picked: Thing | undefined
  onPick: (thing: Thing | undefined) => void
  /** Those with this in their name, at most `limit`. */
  find: (search: string, limit: number, read: ReadOptions) => Promise<Page<Thing>>
  nameOf: (thing: Thing) => ComponentChildren
  placeholder: string
}

/** What a rule watches: all there are, or one that is searched for by its name. */
export function WatchedPicker<Thing extends { id: string }>(props: WatchedPickerProps<Thing>) {
  const { kind, picked, onPick, nameOf, placeholder } = props
  const [search, setSearch] = useState('')
  const [one, setOne] = useState(picked !== undefined)
  const all = () => {
    setOne(false)
    onPick(undefined)
  }
  // A rule that was to watch one must not come to watch all.
  const missing = one && !picked ? `Search for a ${kind} and pick it, or watch all of them.` : ''
  return (
    <fieldset class="picker">
      <legend>Watches</legend>
      <label>
        <input type="radio" name="watches" checked={!one} onChange={all} /> all {kind}s
      </label>
      <label>
        <input
          type="radio"
          name="watches"
          checked={one}
          onChange={() => setOne(true)}
          ref={(input) => input?.setCustomValidity(missing)}
        />{' '}
        one {kind}
        {one && picked && (
          <>
            : <strong>{nameOf(picked)}</strong>
          </>
        )}
      </label>
      {one && (
        <>
          <SearchBox label={`Search ${kind}s`} value={search} onInput={setSearch} placeholder={placeholder} />
          <Found {...props} search={search} />
        </>
      )}
    </fieldset>
  )
}

function Found<Thing extends { id: string }>(props: WatchedPickerProps<Thing> & { search: string }) {
  const { kind, picked, onPick, find, nameOf, search } = props
  const sought = useDebounced(search.trim())
  const { resource, reload } = useResource(`find ${kind} ${sought}`, (read) => find(sought, SHOWN, read))
  if (resource.state === 'loading') return null
  if (resource.state === 'error') return <ErrorNote error={resource.error} retry={reload} />
  const { data, next_cursor } = resource.value
  return (
    <>
      <ul class="found">
        {data.map((thing) => (
          <li key={thing.id}>
            <button type="button" aria-pressed={thing.id === picked?.id} onClick={() => onPick(thing)}>
              {nameOf(thing)}
            </button>
          </li>
        ))}
      </ul>
      <p class="hint" role="status">
        {data.length === 0 && `No ${kind} has this in its name.`}
        {next_cursor !== null && 'There are more: go on typing.'}
      </p>
    </>
  )
}

import { useState } from 'preact/hooks'
import { useApi } from '../api/api-context.ts'
import type { Metric } from '../api/schemas.ts'
import { useDebounced } from '../api/use-debounced.ts'
import { useResource } from '../api/use-resource.ts'
import { SearchBox } from '../parts/search-box.tsx'
import { ErrorNote } from '../parts/states.tsx'

const SHOWN = 8

export interface MetricPickerProps {
  /** Undefined: all metrics. */
  metric: Metric | undefined
  onPick: (metric: Metric | undefined) => void
}

/** All metrics, or one that is searched for by `device/metric`. */
export function MetricPicker({ metric, onPick }: MetricPickerProps) {
  const [search, setSearch] = useState('')
  const [one, setOne] = useState(metric !== undefined)
  const all = () => {
    setOne(false)
    onPick(undefined)
  }
  return (
    <fieldset class="picker">
      <legend>Watches</legend>
      <label>
        <input type="radio" name="watches" checked={!one} onChange={all} /> all metrics
      </label>
      <label>
        <input type="radio" name="watches" checked={one} onChange={() => setOne(true)} /> one metric
        {one && metric && (
          <>
            :{' '}
            <strong>
              <bdi>{metric.device}</bdi> / <bdi>{metric.name}</bdi>
            </strong>
          </>
        )}
      </label>
      {one && (
        <>
          <SearchBox
            label="Search metrics"
            value={search}
            onInput={setSearch}
            placeholder="pump-7/temperature"
          />
          <Found search={search} picked={metric} onPick={onPick} />
        </>
      )}
    </fieldset>
  )
}

function Found({
  search,
  picked,
  onPick,
}: { search: string; picked: Metric | undefined } & Pick<MetricPickerProps, 'onPick'>) {
  const api = useApi()
  const sought = useDebounced(search.trim())
  const { resource, reload } = useResource(`find ${sought}`, (read) => api.findMetrics(sought, SHOWN, read))
  if (resource.state === 'loading') return null
  if (resource.state === 'error') return <ErrorNote error={resource.error} retry={reload} />
  const { data, next_cursor } = resource.value
  return (
    <>
      <ul class="found">
        {data.map((metric) => (
          <li key={metric.id}>
            <button type="button" aria-pressed={metric.id === picked?.id} onClick={() => onPick(metric)}>
              <bdi>{metric.device}</bdi> / <bdi>{metric.name}</bdi>
            </button>
          </li>
        ))}
      </ul>
      <p class="hint" role="status">
        {data.length === 0 && 'No metric has this in its name.'}
        {next_cursor !== null && 'There are more: go on typing.'}
      </p>
    </>
  )
}

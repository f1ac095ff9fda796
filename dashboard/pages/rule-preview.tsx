import { useState } from 'preact/hooks'
import type { RuleFields } from '../api/alerting-api.ts'
import { useApi } from '../api/api-context.ts'
import type { RulePreview as Preview } from '../api/schemas.ts'
import { useDebounced } from '../api/use-debounced.ts'
import { useResource } from '../api/use-resource.ts'
import { counted } from '../format.ts'
import { Loaded } from '../parts/states.tsx'
import { TimeText } from '../parts/time-text.tsx'
import { isRangeName, RANGES, type RangeName, spanOf } from '../time-range.ts'

const SHOWN = 5

/** How often the rule, as it stands in the form, would have fired on the scores that are stored. */
export function RulePreview({ rule }: { rule: RuleFields }) {
  const [range, setRange] = useState<RangeName>('30d')
  const pick = (name: string) => {
    if (isRangeName(name)) setRange(name)
  }
  // The name is not looked at, but without one there is no rule.
  const tried = useDebounced({ ...rule, name: 'preview' }, 400)
  return (
    <section class="preview" aria-label="Preview">
      <div class="table-head">
        <h2>On the past</h2>
        <label>
          over{' '}
          <select value={range} onChange={(event) => pick(event.currentTarget.value)}>
            {RANGES.slice(1).map(({ name, label }) => (
              <option key={name} value={name}>
                {label}
              </option>
            ))}
          </select>
        </label>
      </div>
      {isComplete(rule) ? (
        <Tried rule={tried} range={range} />
      ) : (
        <p class="note">Fill in the numbers first.</p>
      )}
    </section>
  )
}

/** A number that is half typed is NaN, which is never enough. */
const isComplete = ({ threshold, for_windows, resolve_windows, ...rule }: RuleFields) =>
  threshold > 0 &&
  for_windows >= 1 &&
  resolve_windows >= 1 &&
  Object.values(rule).every((value) => typeof value !== 'number' || value >= 0)

function Tried({ rule, range }: { rule: RuleFields; range: RangeName }) {
  const api = useApi()
  const { resource, reload } = useResource(`${range} ${JSON.stringify(rule)}`, (read) =>
    api.previewRule(rule, spanOf(range, Date.now()), read),
  )
  return (
    <Loaded resource={resource} reload={reload}>
      {(preview) => <Verdict preview={preview} />}
    </Loaded>
  )
}

function Verdict({ preview }: { preview: Preview }) {
  const { from, windows, alerts, complete, metrics, latest } = preview
  if (windows === 0) {
    return <p role="status">Nothing was scored in this time, so nothing can be said.</p>
  }
  return (
    <>
      <p role="status">
        It would have fired{' '}
        <strong>
          {complete ? '' : 'more than '}
          {counted(alerts, 'time')}
        </strong>
        {alerts > 0 && ` on ${counted(metrics, 'metric')}`}, in {counted(windows, 'scored window')} since{' '}
        <TimeText time={from} />.
      </p>
      {latest.length > 0 && (
        <ul class="latest">
          {latest.slice(0, SHOWN).map(({ metric_id, window_end, resolved_window_end }) => (
            <li key={`${metric_id} ${window_end}`}>
              <TimeText time={window_end} />
              {resolved_window_end === null ? (
                ', still open'
              ) : (
                <>
                  {' '}
                  to <TimeText time={resolved_window_end} />
                </>
              )}
            </li>
          ))}
        </ul>
      )}
    </>
  )
}

import { useState } from 'preact/hooks'
import { isMoving, MAX_SPAN_MS, type Period, RANGES, spanOf, type TimeSpan } from '../time-range.ts'
import { Field } from './field.tsx'

export interface PeriodPickerProps {
  period: Period
  hrefOf: (period: Period) => string
}

/** Links, not buttons: each period has an address of its own. A span of the reader's choice goes by a form. */
export function PeriodPicker({ period, hrefOf }: PeriodPickerProps) {
  const [choosing, setChoosing] = useState(!isMoving(period))
  const custom = !isMoving(period)
  return (
    <>
      <nav aria-label="Time range" class="ranges">
        {RANGES.map(({ name, label }) => (
          <a
            key={name}
            href={hrefOf(name)}
            aria-current={name === period ? 'true' : undefined}
            onClick={() => setChoosing(false)}
          >
            {label}
          </a>
        ))}
        <button
          type="button"
          aria-expanded={choosing}
          class={custom ? 'current' : undefined}
          onClick={() => setChoosing(!choosing)}
        >
          Custom…
        </button>
      </nav>
      {choosing && (
        <SpanForm shown={spanOf(period, Date.now())} onSpan={(span) => location.assign(hrefOf(span))} />
      )}
    </>
  )
}

function SpanForm({ shown, onSpan }: { shown: TimeSpan; onSpan: (span: TimeSpan) => void }) {
  const [from, setFrom] = useState(localText(shown.from))
  const [to, setTo] = useState(localText(shown.to))
  const [fault, setFault] = useState<string>()
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    const span = { from: new Date(from).getTime(), to: new Date(to).getTime() }
    const wrong = faultOf(span)
    setFault(wrong)
    if (wrong === undefined) onSpan(span)
  }
  return (
    <form class="span-form" onSubmit={submit}>
      <Field label="From" type="datetime-local" value={from} onInput={setFrom} fault={fault} />
      <Field label="To" type="datetime-local" value={to} onInput={setTo} />
      <button type="submit">Show</button>
    </form>
  )
}

function faultOf({ from, to }: TimeSpan): string | undefined {
  if (!(from < to)) return 'Must be before the end.'
  if (to - from > MAX_SPAN_MS) return 'At most 92 days can be shown at once.'
  return undefined
}

/** As an input of type datetime-local has it: the reader's own time, without a zone. */
function localText(time: number): string {
  const offsetMs = new Date(time).getTimezoneOffset() * 60_000
  return new Date(time - offsetMs).toISOString().slice(0, 16)
}

import { useState } from 'preact/hooks'
import type { RuleFields } from '../api/alerting-api.ts'
import { useApi } from '../api/api-context.ts'
import { ApiError } from '../api/api-error.ts'
import type { Metric } from '../api/schemas.ts'
import { useAction } from '../api/use-action.ts'
import { Field } from '../parts/field.tsx'
import { ErrorNote } from '../parts/states.tsx'
import { alertsHref } from '../route.ts'
import { MetricPicker } from './metric-picker.tsx'
import { RulePreview } from './rule-preview.tsx'

export interface RuleFormProps {
  ruleId: string | undefined
  initial: RuleFields
  initialMetric: Metric | undefined
}

/** The fields as they are typed: a number that is half typed is none yet. */
interface Typed {
  name: string
  threshold: string
  windows: string
  resolveWindows: string
  quietMinutes: string
}

export function RuleForm({ ruleId, initial, initialMetric }: RuleFormProps) {
  const api = useApi()
  const [typed, setTyped] = useState(typedOf(initial))
  const [metric, setMetric] = useState(initialMetric)
  const { busy, error, run } = useAction()
  const rule = fieldsOf(typed, metric, initial.enabled)
  const set = (change: Partial<Typed>) => setTyped({ ...typed, ...change })
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    run(async () => {
      await (ruleId === undefined ? api.createRule(rule) : api.changeRule(ruleId, rule))
      location.assign(alertsHref())
    })
  }
  return (
    <form class="card rule-form" onSubmit={submit}>
      <Field
        label="Name"
        maxLength={128}
        value={typed.name}
        onInput={(name) => set({ name })}
        fault={faultOf(error, 'name')}
      />
      <MetricPicker metric={metric} onPick={setMetric} />
      <NumberFields typed={typed} set={set} error={error} />
      <RulePreview rule={rule} />
      {error && <ErrorNote error={error} />}
      <p class="actions">
        <button type="submit" class="primary" disabled={busy}>
          {ruleId === undefined ? 'Create rule' : 'Save'}
        </button>
        <a href={alertsHref()}>Cancel</a>
      </p>
    </form>
  )
}

interface NumberFieldsProps {
  typed: Typed
  set: (change: Partial<Typed>) => void
  error: Error | undefined
}

function NumberFields({ typed, set, error }: NumberFieldsProps) {
  return (
    <div class="fields">
      <Field
        label="Threshold"
        hint="The score that raises an alert; from 1 on a window is anomalous."
        type="number"
        min={0}
        value={typed.threshold}
        onInput={(threshold) => set({ threshold })}
        fault={faultOf(error, 'threshold')}
      />
      <Field
        label="Windows in a row"
        hint="For how many windows of five minutes the score must stay there."
        type="number"
        min={1}
        max={1000}
        value={typed.windows}
        onInput={(windows) => set({ windows })}
        fault={faultOf(error, 'for_windows')}
      />
      <Field
        label="Windows to resolve"
        hint="For how many in a row it must be below, for the alert to be over."
        type="number"
        min={1}
        max={1000}
        value={typed.resolveWindows}
        onInput={(resolveWindows) => set({ resolveWindows })}
        fault={faultOf(error, 'resolve_windows')}
      />
      <Field
        label="Quiet for (minutes)"
        hint="After an alert was resolved, none is raised for so long."
        type="number"
        min={0}
        max={525_600}
        value={typed.quietMinutes}
        onInput={(quietMinutes) => set({ quietMinutes })}
        fault={faultOf(error, 'cooldown_seconds')}
      />
    </div>
  )
}

const typedOf = ({ name, threshold, for_windows, resolve_windows, cooldown_seconds }: RuleFields): Typed => ({
  name,
  threshold: String(threshold),
  windows: String(for_windows),
  resolveWindows: String(resolve_windows),
  quietMinutes: String(cooldown_seconds / 60),
})

/** NaN for what is no number. */
const numberOf = (text: string) => (text.trim() === '' ? Number.NaN : Number(text))

const fieldsOf = (typed: Typed, metric: Metric | undefined, enabled: boolean): RuleFields => ({
  name: typed.name,
  metric_id: metric?.id ?? null,
  threshold: numberOf(typed.threshold),
  for_windows: numberOf(typed.windows),
  resolve_windows: numberOf(typed.resolveWindows),
  cooldown_seconds: Math.round(numberOf(typed.quietMinutes) * 60),
  enabled,
})

const faultOf = (error: Error | undefined, path: string) =>
  error instanceof ApiError ? error.faults.find((fault) => fault.path === path)?.message : undefined

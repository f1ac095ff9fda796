import { useState } from 'preact/hooks'
import type { RuleFields } from '../api/alerting-api.ts'
import { useApi } from '../api/api-context.ts'
import type { Metric } from '../api/schemas.ts'
import { useAction } from '../api/use-action.ts'
import { Field } from '../parts/field.tsx'
import { ErrorNote } from '../parts/states.tsx'
import { alertsHref } from '../route.ts'
import { MetricPicker } from './metric-picker.tsx'
import { RuleConditions } from './rule-conditions.tsx'
import { faultOf } from './rule-fields.ts'
import { RulePreview } from './rule-preview.tsx'
import { fieldsOf, type TypedRule, typedOf } from './typed-rule.ts'

export interface RuleFormProps {
  ruleId: string | undefined
  initial: RuleFields
  initialMetric: Metric | undefined
}

export function RuleForm({ ruleId, initial, initialMetric }: RuleFormProps) {
  const api = useApi()
  const [typed, setTyped] = useState(typedOf(initial))
  const [metric, setMetric] = useState(initialMetric)
  const { busy, error, run } = useAction()
  const rule = fieldsOf(typed, metric, initial.enabled)
  const set = (change: Partial<TypedRule>) => setTyped({ ...typed, ...change })
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
      <RuleConditions typed={typed} set={set} unit={metric?.unit} faultOf={(path) => faultOf(error, path)} />
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

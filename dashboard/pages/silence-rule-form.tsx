import { useState } from 'preact/hooks'
import type { SilenceRuleFields } from '../api/alerting-api.ts'
import { useApi } from '../api/api-context.ts'
import { useAction } from '../api/use-action.ts'
import { Field } from '../parts/field.tsx'
import { ErrorNote } from '../parts/states.tsx'
import { alertsHref } from '../route.ts'
import { faultOf, numberOf } from './rule-fields.ts'

export interface SilenceRuleFormProps {
  ruleId: string | undefined
  initial: SilenceRuleFields
}

/** A rule that tells when devices send nothing; one that watches a single device goes on doing so. */
export function SilenceRuleForm({ ruleId, initial }: SilenceRuleFormProps) {
  const api = useApi()
  const [name, setName] = useState(initial.name)
  const [intervals, setIntervals] = useState(String(initial.intervals))
  const [minutes, setMinutes] = useState(String(initial.floor_seconds / 60))
  const { busy, error, run } = useAction()
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    run(async () => {
      const floor_seconds = Math.round(numberOf(minutes) * 60)
      const rule = { ...initial, name, intervals: numberOf(intervals), floor_seconds }
      await (ruleId === undefined ? api.createRule(rule) : api.changeRule(ruleId, rule))
      location.assign(alertsHref())
    })
  }
  return (
    <form class="card rule-form" onSubmit={submit}>
      <Field label="Name" maxLength={128} value={name} onInput={setName} fault={faultOf(error, 'name')} />
      <p class="note">
        Watches {initial.device_id === null ? 'all devices' : 'one device'}: an alert names all that fall
        silent together.
      </p>
      <div class="fields">
        <Field
          label="Times the usual"
          hint="How many times its usual cadence a device may be silent. The cadence is learned from its data."
          type="number"
          min={2}
          max={10_000}
          value={intervals}
          onInput={setIntervals}
          fault={faultOf(error, 'intervals')}
        />
        <Field
          label="At least (minutes)"
          hint="Nothing shorter counts as silence, however often a device sends."
          type="number"
          min={1}
          max={43_200}
          value={minutes}
          onInput={setMinutes}
          fault={faultOf(error, 'floor_seconds')}
        />
      </div>
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

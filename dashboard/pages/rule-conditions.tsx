import { useState } from 'preact/hooks'
import { Field } from '../parts/field.tsx'
import { SelectField } from '../parts/select-field.tsx'
import type { FaultOf } from './rule-frame.tsx'
import type { TypedRule } from './typed-rule.ts'

export interface RuleConditionsProps {
  typed: TypedRule
  set: (change: Partial<TypedRule>) => void
  /** Of the metric watched, where it is a single one that has one. */
  unit: string | null | undefined
  faultOf: FaultOf
}

const DIRECTIONS: { value: TypedRule['direction']; label: string }[] = [
  { value: 'both', label: 'Either way' },
  { value: 'above', label: 'Above what was expected' },
  { value: 'below', label: 'Below what was expected' },
]

/** When a rule raises an alert, and when it is over. */
export function RuleConditions(props: RuleConditionsProps) {
  return (
    <>
      <div class="fields">
        <ScoreFields {...props} />
      </div>
      <DeviationConditions {...props} />
    </>
  )
}

/** Folded away while they are as they come; never while one of them keeps the rule from being saved. */
function DeviationConditions(props: RuleConditionsProps) {
  const { typed, faultOf } = props
  const [open, setOpen] = useState(isNarrowed(typed))
  const numbers = [typed.leastDeviation, typed.leastPercent, typed.tellWithinHours]
  const faulty = numbers.some((text) => text.trim() === '') || HIDDEN.some((path) => faultOf(path))
  return (
    <details class="more" open={open || faulty} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>Direction and least deviation</summary>
      <div class="fields">
        <DeviationFields {...props} />
      </div>
    </details>
  )
}

const HIDDEN = ['direction', 'min_deviation', 'min_deviation_relative', 'max_age_seconds']

const isNarrowed = ({ direction, leastDeviation, leastPercent, tellWithinHours }: TypedRule) =>
  direction !== 'both' || leastDeviation !== '0' || leastPercent !== '0' || tellWithinHours !== '24'

function ScoreFields({ typed, set, faultOf }: RuleConditionsProps) {
  return (
    <>
      <Field
        label="Threshold"
        hint="The score that raises an alert; from 1 on a window is anomalous."
        type="number"
        min={0}
        value={typed.threshold}
        onInput={(threshold) => set({ threshold })}
        fault={faultOf('threshold')}
      />
      <Field
        label="Windows in a row"
        hint="For how many windows of five minutes the score must stay there."
        type="number"
        min={1}
        max={1000}
        value={typed.windows}
        onInput={(windows) => set({ windows })}
        fault={faultOf('for_windows')}
      />
      <Field
        label="Windows to resolve"
        hint="For how many in a row it must be below, for the alert to be over."
        type="number"
        min={1}
        max={1000}
        value={typed.resolveWindows}
        onInput={(resolveWindows) => set({ resolveWindows })}
        fault={faultOf('resolve_windows')}
      />
      <Field
        label="Quiet for (minutes)"
        hint="After an alert was resolved, none is raised for so long."
        type="number"
        min={0}
        max={525_600}
        value={typed.quietMinutes}
        onInput={(quietMinutes) => set({ quietMinutes })}
        fault={faultOf('cooldown_seconds')}
      />
    </>
  )
}

function DeviationFields({ typed, set, unit, faultOf }: RuleConditionsProps) {
  return (
    <>
      <SelectField
        label="Direction"
        hint="Which way the metric must have left what was expected."
        value={typed.direction}
        options={DIRECTIONS}
        onPick={(direction) => set({ direction })}
      />
      <Field
        label={`Least deviation (${unit ?? 'in the metric’s unit'})`}
        hint="Windows nearer to what was expected do not count; 0: all do."
        type="number"
        min={0}
        value={typed.leastDeviation}
        onInput={(leastDeviation) => set({ leastDeviation })}
        fault={faultOf('min_deviation')}
      />
      <Field
        label="Least deviation (%)"
        hint="The same as a share of what was expected; both must be met."
        type="number"
        min={0}
        value={typed.leastPercent}
        onInput={(leastPercent) => set({ leastPercent })}
        fault={faultOf('min_deviation_relative')}
      />
      <Field
        label="Tell within (hours)"
        hint="Alerts on older data are listed, but no webhook hears of them."
        type="number"
        min={0}
        max={8760}
        value={typed.tellWithinHours}
        onInput={(tellWithinHours) => set({ tellWithinHours })}
        fault={faultOf('max_age_seconds')}
      />
    </>
  )
}

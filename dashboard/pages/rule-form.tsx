import { useState } from 'preact/hooks'
import type { RuleFields } from '../api/alerting-api.ts'
import { useApi } from '../api/api-context.ts'
import type { Metric } from '../api/schemas.ts'
import { MetricName } from '../parts/metric-name.tsx'
import { RuleConditions } from './rule-conditions.tsx'
import { RuleFrame } from './rule-frame.tsx'
import { RulePreview } from './rule-preview.tsx'
import { fieldsOf, type TypedRule, typedOf } from './typed-rule.ts'
import { WatchedPicker } from './watched-picker.tsx'

export interface RuleFormProps {
  ruleId: string | undefined
  initial: RuleFields
  initialMetric: Metric | undefined
}

/** A rule that tells when scores are high. */
export function RuleForm({ ruleId, initial, initialMetric }: RuleFormProps) {
  const api = useApi()
  const [typed, setTyped] = useState(typedOf(initial))
  const [metric, setMetric] = useState(initialMetric)
  const rule = fieldsOf(typed, metric, initial.enabled)
  const set = (change: Partial<TypedRule>) => setTyped({ ...typed, ...change })
  return (
    <RuleFrame ruleId={ruleId} rule={rule} onName={(name) => set({ name })}>
      {(faultOf) => (
        <>
          <WatchedPicker
            kind="metric"
            picked={metric}
            onPick={setMetric}
            find={api.findMetrics}
            nameOf={MetricName}
            placeholder="pump-7/temperature"
          />
          <RuleConditions typed={typed} set={set} unit={metric?.unit} faultOf={faultOf} />
          <RulePreview rule={rule} />
        </>
      )}
    </RuleFrame>
  )
}

import { useState } from 'preact/hooks'
import type { SilenceRuleFields } from '../api/alerting-api.ts'
import { useApi } from '../api/api-context.ts'
import type { Device } from '../api/schemas.ts'
import { Field } from '../parts/field.tsx'
import { numberOf } from './number-of.ts'
import { RuleFrame } from './rule-frame.tsx'
import { WatchedPicker } from './watched-picker.tsx'

export interface SilenceRuleFormProps {
  ruleId: string | undefined
  initial: SilenceRuleFields
  initialDevice: Device | undefined
}

/** A rule that tells when devices send nothing. */
export function SilenceRuleForm({ ruleId, initial, initialDevice }: SilenceRuleFormProps) {
  const api = useApi()
  const [name, setName] = useState(initial.name)
  const [device, setDevice] = useState(initialDevice)
  const [intervals, setIntervals] = useState(String(initial.intervals))
  const [minutes, setMinutes] = useState(String(initial.floor_seconds / 60))
  const rule = {
    ...{ ...initial, name, device_id: device?.id ?? null },
    ...{ intervals: numberOf(intervals), floor_seconds: Math.round(numberOf(minutes) * 60) },
  }
  return (
    <RuleFrame ruleId={ruleId} rule={rule} onName={setName}>
      {(faultOf) => (
        <>
          <WatchedPicker
            kind="device"
            picked={device}
            onPick={setDevice}
            find={(search, limit, read) => api.devices({ search }, undefined, read, limit)}
            nameOf={({ external_id }) => <bdi>{external_id}</bdi>}
            placeholder="pump-7"
          />
          {!device && <p class="note">Devices that fall silent together are named in one alert.</p>}
          <div class="fields">
            <Field
              label="Times the usual"
              hint="How many times its usual cadence a device may be silent. The cadence is learned from its data."
              type="number"
              min={2}
              max={10_000}
              value={intervals}
              onInput={setIntervals}
              fault={faultOf('intervals')}
            />
            <Field
              label="At least (minutes)"
              hint="Nothing shorter counts as silence, however often a device sends."
              type="number"
              min={1}
              max={43_200}
              value={minutes}
              onInput={setMinutes}
              fault={faultOf('floor_seconds')}
            />
          </div>
        </>
      )}
    </RuleFrame>
  )
}

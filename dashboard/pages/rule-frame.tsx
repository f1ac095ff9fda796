import type { ComponentChildren } from 'preact'
import type { RuleFields, SilenceRuleFields } from '../api/alerting-api.ts'
import { useApi } from '../api/api-context.ts'
import { ApiError } from '../api/api-error.ts'
import { useAction } from '../api/use-action.ts'
import { Field } from '../parts/field.tsx'
import { ErrorNote } from '../parts/states.tsx'
import { alertsHref } from '../route.ts'

/** What the API found wrong with a field. */
export type FaultOf = (path: string) => string | undefined

export interface RuleFrameProps {
  /** Undefined: it is a new one. */
  ruleId: string | undefined
  /** As it stands in the form. */
  rule: RuleFields | SilenceRuleFields
  onName: (name: string) => void
  children: (faultOf: FaultOf) => ComponentChildren
}

/** What the forms of rules have in common: a name, and that what is typed is saved or found fault with. */
export function RuleFrame({ ruleId, rule, onName, children }: RuleFrameProps) {
  const api = useApi()
  const { busy, error, run } = useAction()
  const faultOf: FaultOf = (path) =>
    error instanceof ApiError ? error.faults.find((fault) => fault.path === path)?.message : undefined
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    run(async () => {
      await (ruleId === undefined ? api.createRule(rule) : api.changeRule(ruleId, rule))
      location.assign(alertsHref())
    })
  }
  return (
    <form class="card rule-form" onSubmit={submit}>
      <Field label="Name" maxLength={128} value={rule.name} onInput={onName} fault={faultOf('name')} />
      {children(faultOf)}
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

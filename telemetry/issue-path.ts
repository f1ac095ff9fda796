import type * as v from 'valibot'

/** Where an issue lies, as every error answer writes it: `scopes[0]`, `rate_limit.batches_per_second`; '' is all of it. */
export function issuePath({ path }: v.BaseIssue<unknown>): string {
  const steps = path?.map(({ key }) => (typeof key === 'number' ? `[${key}]` : `.${key}`)) ?? []
  return steps.join('').replace(/^\./, '')
}

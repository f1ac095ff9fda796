import { ApiError } from '../api/api-error.ts'

/** Of a field as it is typed; NaN for what is no number. */
export const numberOf = (text: string) => (text.trim() === '' ? Number.NaN : Number(text))

/** What the API found wrong with a field of a rule. */
export const faultOf = (error: Error | undefined, path: string) =>
  error instanceof ApiError ? error.faults.find((fault) => fault.path === path)?.message : undefined

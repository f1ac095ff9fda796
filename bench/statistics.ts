import { medianSorted } from '../telemetry/median.ts'

/** Median of values in any order. Throws on none. */
export const medianOf = (values: number[]): number => medianSorted(values.toSorted((a, b) => a - b))

import { medianSorted } from '../telemetry/median.ts'

/** Median of values in any order. Throws on none. */
export const medianOf = (values: number[]): number => medianSorted(values.toSorted((a, b) => a - b))

/** To three digits behind the point, as ratios are told. */
export const rounded = (value: number): number => Math.round(value * 1000) / 1000

import { normal } from '../../ml-service/testing/telemetry.ts'
import type { Random } from '../../telemetry/random.ts'

/** What a fault may look at. */
export interface FaultPlace {
  /** How large the fault is, in units of the metric and with a sign. */
  size: number
  /** Windows since the fault began. */
  since: number
  /** The last value before the fault. */
  last: number
  /** The values of half a day before the window. */
  earlier: number[]
  random: Random
}

export interface FaultKind {
  name: string
  /** In spreads of the metric; [0] where size means nothing. */
  sizes: number[]
  /** The least datapoints a window must hold. */
  least?: number
  /** What the fault makes of a window's values. */
  of: (values: number[], place: FaultPlace) => number[]
}

const WINDOWS_A_DAY = 288

export const FAULT_KINDS: FaultKind[] = [
  {
    name: 'spike of one datapoint',
    sizes: [0.5, 1, 2],
    of: (values, { size, since }) =>
      since === 0 ? values.with(values.length >> 1, values[values.length >> 1]! + size) : values,
  },
  { name: 'level shift', sizes: [0.5, 1, 2], of: (values, { size }) => values.map((value) => value + size) },
  { name: 'stuck value', sizes: [0], of: (values, { last }) => values.map(() => last) },
  {
    name: 'noise burst',
    sizes: [0.25, 0.5, 1],
    of: (values, { size, random }) => values.map((value) => value + size * normal(random)),
  },
  {
    name: 'slow drift, by in a day',
    sizes: [1, 2],
    of: (values, { size, since }) => values.map((value) => value + (size * since) / WINDOWS_A_DAY),
  },
  { name: 'dropout of 4 in 5', sizes: [0], least: 5, of: (values) => values.filter((_, i) => i % 5 === 0) },
  { name: 'wrong hour, by 12', sizes: [0], of: (_, { earlier }) => earlier },
]

import { seededRandom } from '../../telemetry/random.ts'
import { featuresOfValues } from '../../telemetry/window-features.ts'
import { type Baseline, emptyBaseline, stepBaseline, type Verdict } from '../baseline/baseline.ts'
import { WINDOW } from './synthetic.ts'
import { normal } from './telemetry.ts'

/** In windows. */
export const HOUR = 12
export const DAY = 24 * HOUR
export const WEEK = 7 * DAY

/** The values of window `i`. */
export type Pattern = (i: number, random: () => number) => number[]

/** What a metric is at a time in windows, without noise. */
export type Course = (i: number) => number

/** A day of 40 to 60. */
export const wave: Course = (i) => 50 + 10 * Math.sin((2 * Math.PI * i) / DAY)

/** The same above 20 on five days of seven, a quarter of it on two. */
export const working: Course = (i) => 20 + (Math.floor(i / DAY) % 7 < 5 ? 1 : 0.25) * (wave(i) - 20)

/** `course` as if the clock were put on or back by `shift` windows at `at`. */
export const shifted =
  (course: Course, at: number, shift: number): Course =>
  (i) =>
    course(i >= at ? i + shift : i)

/** `count` values a window along `course`, with normal noise. */
export const sampled =
  (course: Course, count: number, noise = 0.5): Pattern =>
  (i, random) =>
    Array.from({ length: count }, (_, k) => course(i + k / count) + noise * normal(random))

interface Stretch {
  pattern: Pattern
  from?: number
  to: number
  seed?: number
}

/** Scores and learns the windows of a stretch; the same seed gives the same ones. */
export function walkPattern(
  { pattern, from = 0, to, seed = 1 }: Stretch,
  baseline: Baseline = emptyBaseline(),
): Verdict[] {
  const random = seededRandom(seed)
  return Array.from({ length: to - from }, (_, k) => {
    const i = from + k
    return stepBaseline(baseline, featuresOfValues(i * WINDOW, pattern(i, random)))
  })
}

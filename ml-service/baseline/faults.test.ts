import { describe, expect, it } from 'vitest'
import type { WindowFeatures } from '../../telemetry/window-features.ts'
import { type Fault, normal, sensorWindows } from '../testing/telemetry.ts'
import { emptyBaseline, stepBaseline, type Verdict } from './baseline.ts'

const HOUR = 12 // windows
const DAY = 24 * HOUR

function walk(windows: WindowFeatures[]): Verdict[] {
  const baseline = emptyBaseline()
  return windows.map((window) => stepBaseline(baseline, window))
}

interface Case {
  fault: Fault
  /** Windows until it is seen, at the latest. */
  within: number
  reason: RegExp
  rate?: number
}

const CASES: Record<string, Case> = {
  'a sensor that stands still': {
    fault: (values) => values.map(() => values[0]!),
    within: 2,
    reason: /flat for (5|10) min, usually varies by 0\.3/,
  },
  'a burst of noise': {
    fault: (values, _, random) => values.map((value) => value + 2 * normal(random)),
    within: 1,
    reason: /scatter by [12]\.\d+ within the window, never more than 0\.\d+ in 7 days/,
  },
  'four of five datapoints lost': {
    fault: (values) => values.filter((_, i) => i % 5 === 0),
    within: 1,
    reason: /^60 datapoints in the window, never less than 300 in 7 days/,
  },
  'a spike of half a minute': {
    fault: (values, i) => values.map((value, k) => (i === 0 && k < 30 ? value + 15 : value)),
    within: 1,
    reason: /values span 1\d\.\d+ within the window/,
  },
  'a shift of the level': {
    fault: (values) => values.map((value) => value + 15),
    within: 3,
    reason: /is \d+(\.\d+)? above anything seen in 1[0-2] days/,
  },
  'drift of 2 an hour': {
    fault: (values, i) => values.map((value) => value + (2 * i) / HOUR),
    within: 10 * HOUR,
    reason: /above anything seen in 1[0-2] days|unusual at this hour: usually/,
  },
  'a wave that stands still, a value a minute': {
    fault: (values) => values.map(() => 70),
    rate: 1 / 60,
    within: 3,
    reason: /flat for \d+ min/,
  },
  'a spike, a value a minute': {
    fault: (values, i) => (i === 0 ? values.with(2, 95) : values),
    rate: 1 / 60,
    within: 3,
    reason: /scatter|span/,
  },
}

describe('faults of a sensor that tells 300 values a window, after ten to twelve days', () => {
  it.each(Object.entries(CASES))(
    '%s is seen in time, for the right reason',
    (_, { fault, within, reason, rate }) => {
      for (const seed of [1, 2, 3]) {
        const faultAt = 10 * DAY + seed * 7 * HOUR
        const windows = sensorWindows({
          windows: faultAt + within,
          seed,
          faultAt,
          fault,
          ...(rate ? { rate } : {}),
        })
        const seen = walk(windows)
          .slice(faultAt)
          .filter(({ score }) => score >= 1)
        expect(seen.length).toBeGreaterThan(0)
        expect(seen.map(({ reasons }) => reasons.join('; ')).join('\n')).toMatch(reason)
      }
    },
  )

  it('raises little on the same sensor without a fault: less than two episodes a week', () => {
    let episodes = 0
    for (const seed of [11, 12, 13]) {
      const verdicts = walk(sensorWindows({ windows: 21 * DAY, seed, rate: 1 / 10 })).slice(2 * DAY)
      episodes += verdicts.filter(({ score }, i) => score >= 1 && (verdicts[i - 1]?.score ?? 0) < 1).length
    }
    expect(episodes / (3 * (19 / 7))).toBeLessThan(2)
  })
})

describe('what is usual', () => {
  const wave = (i: number, phase = 0) => 20 + 8 * Math.sin((2 * Math.PI * (i + phase)) / DAY)

  it('is not alarmed by the fourth cycle of a day or a week', () => {
    const weekend = (i: number) => (Math.floor(i / DAY) % 7 >= 5 ? 0.3 : 1)
    for (const shape of [wave, (i: number) => weekend(i) * wave(i)]) {
      const cycle = shape === wave ? DAY : 7 * DAY
      const windows = levels(4 * cycle, shape)
      const fourth = walk(windows).slice(3 * cycle)
      expect(fourth.filter(({ onsetScore }) => onsetScore >= 1)).toEqual([])
    }
  })

  it('is not alarmed by an hour that is left out or comes twice', () => {
    for (const phase of [HOUR, -HOUR]) {
      const windows = levels(14 * DAY, (i) => wave(i, i >= 11 * DAY ? phase : 0))
      const after = walk(windows).slice(11 * DAY)
      expect(after.filter(({ onsetScore }) => onsetScore >= 1)).toEqual([])
    }
  })
})

/** One window each, of a noise of ±0.2 about `of`. */
function levels(count: number, of: (i: number) => number): WindowFeatures[] {
  return sensorWindows({
    windows: count,
    rate: 1 / 300,
    fault: ([noise], i) => [of(i) + (noise! % 0.2)],
    faultAt: 0,
  })
}

import { max, median, sort } from 'mathjs'
import { describe, expect, it } from 'vitest'
import { featuresOfValues, type WindowFeatures } from '../../telemetry/window-features.ts'
import { seededRandom, WINDOW } from '../test/synthetic.ts'
import { decodeArtefact, encodeArtefact } from './artefact.ts'
import { type Baseline, emptyBaseline, stepBaseline, type Verdict } from './baseline.ts'

const HOUR = 12 // windows

const windowAt = (i: number, ...values: number[]): WindowFeatures => featuresOfValues(i * WINDOW, values)

function walk(windows: WindowFeatures[], baseline: Baseline = emptyBaseline()): Verdict[] {
  return windows.map((window) => stepBaseline(baseline, window))
}

/** `count` windows of ten values each around 70, with noise of ±1. */
function busyWindows(count: number, seed = 1, valuesOf?: (i: number, random: () => number) => number[]) {
  const random = seededRandom(seed)
  const usual = () => Array.from({ length: 10 }, () => 70 + random() * 2 - 1)
  return Array.from({ length: count }, (_, i) => windowAt(i, ...(valuesOf?.(i, random) ?? usual())))
}

const nth = (values: number[], p: number) => sort(values, 'asc')[Math.floor(p * values.length)]!
const upperMedian = (values: number[]) => Number(max(median(values), nth(values, 0.5)))

const scoreAt = (windows: WindowFeatures[], i: number) => walk(windows)[i]!.score

describe('stepBaseline()', () => {
  it('scores the distance from the median against the largest usual one, as computed with mathjs', () => {
    const random = seededRandom(5)
    const values = Array.from({ length: 301 }, () => 20 + random() * 4)
    const verdicts = walk([...values, 35].map((value, i) => windowAt(i, value)))
    // Up to the minimum history distances count at once, those of the last day not yet.
    const distances = values
      .slice(0, 144)
      .map((value, i) => (i < 48 ? 0 : Math.abs(value - upperMedian(values.slice(0, i)))))
    const spread = nth(values, 0.99) - nth(values, 0.01)
    const limit = Number(max(distances)) + 0.1 * spread
    const centre = Number(median(values))
    const { score, expected } = verdicts[301]!
    expect(score).toBeCloseTo((35 - centre) / limit, 9)
    expect(expected!.high).toBeCloseTo(centre + limit, 9)
    expect(expected!.low).toBeCloseTo(centre - limit, 9)
  })

  it('gives the range of medians that would have scored below 1', () => {
    const history = Array.from({ length: 200 }, (_, i) => windowAt(i, 10 + (i % 7)))
    const { low, high } = walk([...history, windowAt(200, 13)])[200]!.expected!
    const scored = (value: number) => scoreAt([...history, windowAt(200, value)], 200)
    expect(scored(high - 1e-6)).toBeLessThan(1)
    expect(scored(high + 1e-6)).toBeGreaterThanOrEqual(1)
    expect(scored(low + 1e-6)).toBeLessThan(1)
    expect(scored(low - 1e-6)).toBeGreaterThanOrEqual(1)
  })

  it('depends on nothing later, and refuses windows out of order', () => {
    const windows = busyWindows(250)
    expect(walk(windows).slice(0, 200)).toEqual(walk(windows.slice(0, 200)))
    const baseline = emptyBaseline()
    stepBaseline(baseline, windowAt(5, 1))
    expect(() => stepBaseline(baseline, windowAt(5, 1))).toThrow(RangeError)
    expect(() => stepBaseline(baseline, windowAt(4, 1))).toThrow(RangeError)
  })

  it('carries on from an artefact as if it had never stopped', () => {
    const windows = busyWindows(700)
    const straight = walk(windows)
    const baseline = emptyBaseline()
    const first = walk(windows.slice(0, 450), baseline)
    const identity = { tenantId: 't', metricId: 'm', trainedUntil: baseline.learnedUntil!, ledger: [] }
    const restored = decodeArtefact(encodeArtefact({ ...identity, baseline })).baseline
    expect([...first, ...walk(windows.slice(450), restored)]).toEqual(straight)
  })

  it('finds the wrong hour for a value that is usual at another', () => {
    const level = (i: number) => (i % (24 * HOUR) < 12 * HOUR ? 10 : 50)
    const random = seededRandom(9)
    const windows = Array.from({ length: 24 * HOUR * 8 }, (_, i) => windowAt(i, level(i) + random()))
    const at = 24 * HOUR * 7 + 6 * HOUR
    windows[at] = windowAt(at, 50)
    const verdict = walk(windows)[at]!
    expect(verdict.score).toBeGreaterThan(1)
    expect(verdict.reasons[0]).toMatch(/^50 is \d+(\.\d+)? above anything usual at this hour \(around 10/)
  })

  it('notices a stuck sensor, a noise burst and a dropout within windows whose median is usual', () => {
    const at = 400
    const faults: Record<string, (random: () => number) => number[]> = {
      stuck: () => Array.from({ length: 10 }, () => 70),
      burst: (random) => Array.from({ length: 10 }, (_, i) => 70 + (i % 2 ? 1 : -1) * (4 + random())),
      dropout: () => [70],
    }
    for (const fault of Object.values(faults)) {
      const windows = busyWindows(at + 1, 3, (i, random) =>
        i === at ? fault(random) : Array.from({ length: 10 }, () => 70 + random() * 2 - 1),
      )
      const verdict = walk(windows)[at]!
      expect(verdict.score).toBeGreaterThan(1)
      expect(verdict.reasons.join()).toMatch(/scatter|span|datapoints/)
    }
  })

  it('marks the onset of an episode once, and again when it is long past', () => {
    const windows = busyWindows(900, 4, (i) =>
      i === 300 || i === 301 || i === 600
        ? [200 + i / 100]
        : Array.from({ length: 10 }, (_, j) => 70 + ((i * 7 + j * 3) % 11) / 10),
    )
    const marked = walk(windows).flatMap(({ onsetScore }, i) => (onsetScore >= 1 ? [i] : []))
    expect(marked).toEqual([300, 600])
  })

  it('stays quiet on steady noise', () => {
    const anomalous = walk(busyWindows(3000, 8)).filter(({ score }) => score >= 1)
    expect(anomalous.length).toBeLessThan(6)
  })

  it('does not fill its memory', () => {
    const baseline = emptyBaseline()
    for (let i = 0; i < 9000; i += 1) stepBaseline(baseline, windowAt(i, i % 13))
    expect(baseline.level.size).toBe(8064)
    expect(baseline.shape.count.size).toBe(2016)
    expect(baseline.recent.length).toBeLessThanOrEqual(145)
    expect(baseline.pending.length).toBeLessThanOrEqual(289)
  })
})

import { log, max, mean, median, min, sort, sqrt } from 'mathjs'
import { describe, expect, it } from 'vitest'
import { featuresOfValues, type WindowFeatures } from '../../telemetry/window-features.ts'
import { seededRandom, WINDOW } from '../testing/synthetic.ts'
import { normal } from '../testing/telemetry.ts'
import { decodeArtefact, encodeArtefact } from './artefact.ts'
import { type Baseline, emptyBaseline, judge, stepBaseline, type Verdict } from './baseline.ts'
import { MIN_WINDOWS, readyAt } from './judge-window.ts'

const HOUR = 12 // windows
const DAY = 24 * HOUR

const windowAt = (i: number, ...values: number[]): WindowFeatures => featuresOfValues(i * WINDOW, values)

function walk(windows: WindowFeatures[], baseline: Baseline = emptyBaseline()): Verdict[] {
  return windows.map((window) => stepBaseline(baseline, window))
}

/** `count` windows of ten values each around 70, with noise of ±1. */
function busyWindows(
  count: number,
  seed = 1,
  valuesOf?: (i: number, random: () => number) => number[] | undefined,
) {
  const random = seededRandom(seed)
  const usual = () => Array.from({ length: 10 }, () => 70 + random() * 2 - 1)
  return Array.from({ length: count }, (_, i) => windowAt(i, ...(valuesOf?.(i, random) ?? usual())))
}

const copyOf = (baseline: Baseline): Baseline => {
  const trainedUntil = baseline.learnedUntil!
  return decodeArtefact(encodeArtefact({ tenantId: 't', metricId: 'm', trainedUntil, ledger: [], baseline }))
    .baseline
}

const nth = (values: number[], p: number) => sort(values, 'asc')[Math.floor(p * values.length)]!

/**
 * The level's score of the last of `values`, one window each, by plain arrays: the distance to the nearest value before, against
 * an exponential tail of the distances before, each times the root of how many values were known, at least 0.75 times the noise, and
 * wider while young.
 */
function levelScore(values: number[]): number {
  const nearest = (i: number) => Number(min(values.slice(0, i).map((x) => Math.abs(x - values[i]!))))
  const last = values.length - 1
  const distances = values.slice(0, last).flatMap((_, i) => (i === 0 ? [] : [nearest(i) * Number(sqrt(i))]))
  const descending = sort(distances, 'desc')
  const length = Number(max(5, Math.ceil(0.02 * distances.length)))
  const base = descending[length]!
  const excess = Number(mean(descending.slice(0, length))) - base
  const rarity = 1 / (12 * HOUR)
  const usual = base + excess * Number(log(length / distances.length / rarity))
  const before = values.slice(0, last)
  const margin = 0.01 * (nth(before, 0.99) - nth(before, 0.01))
  const tail = (usual / Math.sqrt(last) + margin) / 0.7
  const days = (last - 1) / DAY
  // Of what was known a day before this quarter of a day.
  const noise = noiseOf(values.slice(0, last - (last % (6 * HOUR)) - DAY))
  return nearest(last) / Number(max(tail, 0.75 * noise)) / (1 + 0.6 / days)
}

/** The standard deviation of normal values by the median of their steps over one, two or three, of a day. */
function noiseOf(values: number[]): number {
  const ofLag = (lag: number) =>
    Number(
      median(values.flatMap((value, i) => (i < lag ? [] : [Math.abs(value - values[i - lag]!)])).slice(-DAY)),
    )
  return Number(min(ofLag(1), ofLag(2), ofLag(3))) / (Math.SQRT2 * 0.6745)
}

describe('stepBaseline()', () => {
  it('scores the distance from the nearest value ever seen against the usual ones, as computed with mathjs', () => {
    const random = seededRandom(5)
    const values = Array.from({ length: 561 }, () => Math.fround(20 + random() * 4))
    const far = [...values, 35]
    const verdict = walk(far.map((value, i) => windowAt(i, value)))[561]!
    // To 1 %: a few of the values may be held back.
    expect(verdict.score / levelScore(far)).toBeGreaterThan(0.99)
    expect(verdict.reasons[0]).toMatch(/^35 is 11\.\d+ above anything seen in 47 h$/)
    expect(verdict.direction).toBe('above')
    // Near the edge of what is expected it is the level that decides.
    const edge = verdict.expected!.high
    expect(Math.abs(levelScore([...values, edge]) - 1)).toBeLessThan(0.01)
  })

  it('gives the range of medians that would have scored below 1', () => {
    const random = seededRandom(13)
    const baseline = emptyBaseline()
    walk(
      Array.from({ length: 400 }, (_, i) => windowAt(i, 10 + random() * 7)),
      baseline,
    )
    const { low, high } = judge(baseline, windowAt(400, 13)).expected!
    const scored = (value: number) => judge(baseline, windowAt(400, value)).score
    expect([low > 8, low < 11, high > 16, high < 19]).toEqual([true, true, true, true])
    for (const inside of [low + 1e-3, 12, 14, high - 1e-3]) expect(scored(inside)).toBeLessThan(1)
    for (const outside of [low - 1e-3, high + 1e-3]) expect(scored(outside)).toBeGreaterThanOrEqual(1)
  })

  it('expects no value between two known ones that would be anomalous', () => {
    const levels = [10, 10.5, 11.5, 12, 11, 4, 18]
    const baseline = emptyBaseline()
    walk(
      Array.from({ length: 3000 }, (_, i) => windowAt(i, levels[i % 7]!)),
      baseline,
    )
    const scored = (value: number) => judge(baseline, windowAt(3000, value)).score
    const { low, high } = judge(baseline, windowAt(3000, 11)).expected! // whose turn it is
    expect([low > 10.75, high < 11.25]).toEqual([true, true])
    expect([scored(10.75), scored(11.25)].every((score) => score >= 1)).toBe(true)
    for (let value = low + 1e-3; value < high; value += 0.02) expect(scored(value)).toBeLessThan(1)
  })

  it('expects what noise makes of the usual at this hour, and nothing that would be anomalous', () => {
    const random = seededRandom(17)
    const wave = (i: number) => 50 + 10 * Math.sin((2 * Math.PI * i) / DAY)
    const baseline = emptyBaseline()
    for (let i = 0; i < 10 * DAY; i += 1) stepBaseline(baseline, windowAt(i, wave(i) + 0.5 * normal(random)))
    for (let i = 10 * DAY; i < 11 * DAY; i += 1) {
      const scored = (value: number) => judge(baseline, windowAt(i, value)).score
      if (i % (3 * HOUR) === 0) {
        // Also of windows whose own value is noise, or beyond it.
        for (const off of [0, 1.5, -2, 2.3, 6]) {
          const { low, high } = judge(baseline, windowAt(i, wave(i) + off)).expected!
          expect([low < wave(i) - 4 * 0.5, high > wave(i) + 4 * 0.5]).toEqual([true, true])
          for (let value = low + 1e-3; value < high; value += 0.1) {
            expect(scored(value), `${i}: ${value} in ${low} to ${high}`).toBeLessThan(1)
          }
        }
        const { low, high } = judge(baseline, windowAt(i, wave(i))).expected!
        // Not at once: about the same came within an hour of it on other days.
        for (const outside of [low - 0.5, high + 0.5]) expect(scored(outside)).toBeGreaterThanOrEqual(1)
      }
      stepBaseline(baseline, windowAt(i, wave(i) + 0.5 * normal(random)))
    }
  })

  it('sees a value in the gap between two ways of running, and expects one of them', () => {
    const random = seededRandom(2)
    const windows = Array.from({ length: 600 }, (_, i) => windowAt(i, (i % 40 < 20 ? 10 : 50) + random()))
    windows[599] = windowAt(599, 30)
    const verdict = walk(windows)[599]!
    expect(verdict.score).toBeGreaterThan(1)
    expect(verdict.direction).toBe('within')
    expect(verdict.reasons[0]).toMatch(/^30 is (18|19)(\.\d+)? from anything seen in 2 days, nearest \d+/)
    const { low, high } = verdict.expected!
    expect(30 < low || 30 > high).toBe(true)
  })

  it('depends on nothing later, and refuses windows out of order', () => {
    const windows = busyWindows(250)
    expect(walk(windows).slice(0, 200)).toEqual(walk(windows.slice(0, 200)))
    const baseline = emptyBaseline()
    stepBaseline(baseline, windowAt(5, 1))
    expect(() => stepBaseline(baseline, windowAt(5, 1))).toThrow(RangeError)
    expect(() => stepBaseline(baseline, windowAt(4, 1))).toThrow(RangeError)
  })

  it('judges a window the same however often it is asked', () => {
    const windows = busyWindows(400, 2, (i) => (i >= 350 ? [90 + i] : undefined))
    const baseline = emptyBaseline()
    for (const window of windows) {
      const verdict = judge(baseline, window)
      expect(judge(baseline, window)).toEqual(verdict)
      expect(stepBaseline(baseline, window)).toEqual(verdict)
    }
  })

  it.each([450, 8064, 8066, 9000])(
    'carries on from an artefact at window %i as if it had never stopped',
    (at) => {
      const fault = (i: number) => (i > at - 40 && i % 3 === 0 ? [90 + i / 100] : undefined)
      const windows = busyWindows(at + 400, 6, fault)
      const straight = emptyBaseline()
      walk(windows.slice(0, at), straight)
      expect(straight.held.length).toBeGreaterThan(0)
      const restored = copyOf(straight)
      expect(walk(windows.slice(at), restored)).toEqual(walk(windows.slice(at), straight))
    },
  )

  it('is learning for 12 hours and 40 windows, whatever the cadence, and says when it will be ready', () => {
    for (const step of [1, 2, HOUR]) {
      const windows = Array.from({ length: 200 }, (_, i) => windowAt(i * step, 5 + (i % 3)))
      const baseline = emptyBaseline()
      const predicted: number[] = []
      const first = windows.findIndex((window) => {
        const { state } = stepBaseline(baseline, window)
        if (state === 'learning') predicted.push(readyAt(baseline))
        return state === 'ready'
      })
      expect(first).toBe(Math.max(MIN_WINDOWS, 1 + Math.ceil((12 * HOUR - 1) / step)))
      expect(baseline.readyAfter).toBe(first)
      expect(Math.abs(predicted[20]! - windows[first - 1]!.windowEnd)).toBeLessThanOrEqual(step * WINDOW)
    }
  })

  it('keeps a failure as severe as it is for a day, then knows it', () => {
    const random = seededRandom(7)
    const windows = Array.from({ length: 6 * DAY }, (_, i) => windowAt(i, (i < 4 * DAY ? 20 : 40) + random()))
    const verdicts = walk(windows)
    expect(verdicts.slice(4 * DAY, 5 * DAY).every(({ score }) => score >= 1)).toBe(true)
    expect(verdicts.slice(5 * DAY + HOUR).filter(({ score }) => score >= 1).length).toBeLessThan(5)
  })

  it('ends with the spike: the mean of the windows after it is no news', () => {
    const verdicts = walk(busyWindows(600, 8, (i) => (i === 500 ? [200, 201] : undefined)))
    const anomalous = verdicts.flatMap(({ score }, i) => (score >= 1 && i >= 495 && i < 510 ? [i] : []))
    expect(anomalous).toEqual([500])
  })

  it('marks the onset of an episode once, and again when it is long past', () => {
    const windows = busyWindows(900, 4, (i) =>
      i === 300 || i === 301 || i === 600
        ? [200 + i]
        : Array.from({ length: 10 }, (_, j) => 70 + ((i * 7 + j * 3) % 11) / 10),
    )
    const marked = walk(windows).flatMap(({ onsetScore }, i) => (onsetScore >= 1 ? [i] : []))
    expect(marked).toEqual([300, 600])
  })

  it('takes a metric that only grows as it is, and sees it stop', () => {
    const random = seededRandom(11)
    let total = 1e6
    const count = (i: number) => {
      total += i >= 6 * DAY ? 0 : 100 + Math.floor(random() * 20)
      return [total - 60, total - 40, total - 20, total]
    }
    const verdicts = walk(Array.from({ length: 6 * DAY + 6 }, (_, i) => windowAt(i, ...count(i))))
    const anomalous = verdicts.slice(0, 6 * DAY).filter(({ score }) => score >= 1)
    expect(anomalous.length).toBeLessThan(6)
  })

  it('does not fill its memory', () => {
    const baseline = emptyBaseline()
    for (let i = 0; i < 9000; i += 1) stepBaseline(baseline, windowAt(i, i % 13))
    expect(baseline.histories.level.size).toBe(8064)
    expect(baseline.histories.count.size).toBe(2016)
    expect(baseline.recent.length).toBeLessThanOrEqual(145)
    expect(baseline.held.length).toBeLessThanOrEqual(289)
  })
})

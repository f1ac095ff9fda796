import { describe, expect, it } from 'vitest'
import {
  type Course,
  DAY,
  HOUR,
  type Pattern,
  sampled,
  shifted,
  WEEK,
  walkPattern as walk,
  wave,
  working,
} from '../testing/patterns.ts'
import { WINDOW } from '../testing/synthetic.ts'
import { normal } from '../testing/telemetry.ts'
import { decodeArtefact, encodeArtefact } from './artefact.ts'
import { emptyBaseline, type Verdict } from './baseline.ts'

const SEEDS = [1, 2, 3]

const alarms = (verdicts: Verdict[]) =>
  verdicts
    .filter(({ score }) => score >= 1)
    .map(({ windowStart, score, reasons }) => [windowStart / WINDOW, score, reasons])

const minutely = (course: Course, noise?: number) => sampled(course, 5, noise)
const single = (course: Course, noise?: number) => sampled(course, 1, noise)

describe('a daily wave with a value a minute', () => {
  const at = 9 * DAY
  const faults: Record<string, (phase: number) => Pattern> = {
    'a spike': (phase) => (i, random) =>
      minutely(wave)(i, random).map((value, k) => (i === phase && k === 2 ? value + 30 : value)),
    'a level shift upward': () => minutely((i) => wave(i) + 12),
    'a level shift downward': () => minutely((i) => wave(i) - 12),
    'a stuck value': (phase) => () => Array.from({ length: 5 }, () => wave(phase)),
  }

  it.each(Object.entries(faults))('shows %s within three windows, at any hour', (_, fault) => {
    for (const seed of SEEDS) {
      const baseline = emptyBaseline()
      walk({ pattern: minutely(wave), to: at, seed }, baseline)
      for (let hour = 0; hour < 24; hour += 3) {
        const phase = at + hour * HOUR
        const copy = copyOf(baseline)
        walk({ pattern: minutely(wave), from: at, to: phase, seed: seed + 50 }, copy)
        const seen = walk({ pattern: fault(phase), from: phase, to: phase + 3, seed: seed + 100 }, copy)
        expect(Math.max(...seen.map(({ score }) => score)), `seed ${seed}, ${hour} h`).toBeGreaterThanOrEqual(
          1,
        )
      }
    }
  })
})

const copyOf = (baseline: ReturnType<typeof emptyBaseline>) =>
  decodeArtefact(
    encodeArtefact({
      tenantId: 't',
      metricId: 'm',
      trainedUntil: baseline.learnedUntil!,
      ledger: [],
      baseline,
    }),
  ).baseline

const RUNS = [1, 2, 3, 4, 5]
const alarmsOfRuns = (pattern: Pattern, to: number, from: number) =>
  RUNS.flatMap((seed) => alarms(walk({ pattern, to, seed }).slice(from)))

describe('the fourth cycle', () => {
  it.each([
    ['of a day, a value a minute', minutely(wave), DAY],
    ['of a day, a value a window', single(wave), DAY],
    ['of a day, hardly any noise', minutely(wave, 0.05), DAY],
    ['of a day, much noise, a value a minute', minutely(wave, 2), DAY],
    ['of a day, much noise, a value a window', single(wave, 2), DAY],
    ['of a week, a value a minute', minutely(working), WEEK],
    ['of a week, a value a window', single(working), WEEK],
  ])('%s is no anomaly', (_, pattern, cycle) => {
    expect(alarmsOfRuns(pattern, 4 * cycle, 3 * cycle)).toEqual([])
  })

  it.each([
    ['nightly', DAY],
    ['weekly', WEEK],
  ])('of a %s job that is a little different each time is no anomaly', (_, cycle) => {
    const pattern = single((i) => 10 + (i % cycle < 3 ? 60 + (i % 5) : 0))
    for (const seed of RUNS) {
      expect(alarms(walk({ pattern, to: 3 * cycle + HOUR, seed }).slice(3 * cycle))).toEqual([])
    }
  })
})

describe('a cycle of half an hour', () => {
  const cycle: Course = (i) => 50 + 10 * Math.sin((2 * Math.PI * i) / 6)

  it('is no noise: a shift beyond it shows for as long as it lasts', () => {
    for (const seed of SEEDS) {
      const baseline = emptyBaseline()
      walk({ pattern: single(cycle, 0.2), to: 10 * DAY, seed }, baseline)
      const shift = walk(
        { pattern: single((i) => cycle(i) + 20, 0.2), from: 10 * DAY, to: 11 * DAY, seed },
        baseline,
      )
      expect(shift[0]!.score).toBeGreaterThanOrEqual(1)
      expect(alarms(shift).length).toBeGreaterThan(0.9 * DAY)
    }
  })
})

describe('a failure that is erratic for a day', () => {
  it('is not taken for noise while it lasts', () => {
    const inLastHours = SEEDS.map((seed) => {
      const baseline = emptyBaseline()
      walk({ pattern: single(wave, 1), to: 10 * DAY, seed }, baseline)
      const failure: Pattern = (_, random) => [50 + 20 * normal(random)]
      const found = walk({ pattern: failure, from: 10 * DAY, to: 11 * DAY, seed }, baseline)
      return alarms(found.slice(18 * HOUR)).length
    })
    expect(inLastHours.reduce((sum, n) => sum + n)).toBeGreaterThan(15) // of all three; 4 if it were
  })
})

describe('plain noise', () => {
  it.each([
    ['a value a minute', minutely],
    ['a value a window', single],
  ])('raises less than one window in two weeks from the fourth day on: %s', (_, rate) => {
    const weeks = (RUNS.length * (14 - 3)) / 7
    expect(
      alarmsOfRuns(
        rate(() => 50, 1),
        14 * DAY,
        3 * DAY,
      ).length / weeks,
    ).toBeLessThan(0.5)
  })
})

describe('a clock that is put on or back', () => {
  const sunday = 13 * DAY + 2 * HOUR

  it.each([
    ['a wave, a value a minute', minutely, wave],
    ['a wave, a value a window', single, wave],
    ['working days, a value a minute', minutely, working],
    ['working days, a value a window', single, working],
  ])('makes no anomaly of %s', (_, rate, level) => {
    for (const shift of [HOUR, -HOUR]) {
      const pattern = rate(shifted(level, sunday, shift))
      expect(alarmsOfRuns(pattern, 16 * DAY, sunday)).toEqual([])
    }
  })
})

describe('a job at its hour', () => {
  const hour = 3 * HOUR
  const first = 5 * DAY
  const isJob = (i: number) => i >= first && i % DAY === hour
  const job: Pattern = (i, random) => [10 + normal(random) + (isJob(i) ? 60 + 10 * random() : 0)]

  it('is an anomaly at first, none from the fourth day on, and again when it is much larger', () => {
    for (const seed of SEEDS) {
      const baseline = emptyBaseline()
      const verdicts = walk({ pattern: job, to: first + 9 * DAY + hour, seed }, baseline)
      const jobs = verdicts.filter(({ windowStart }) => isJob(windowStart / WINDOW))
      expect(jobs[0]!.score).toBeGreaterThanOrEqual(1)
      expect(alarms(jobs.slice(3))).toEqual([])
      const at = first + 9 * DAY + hour
      const [larger] = walk({ pattern: () => [150], from: at, to: at + 1 }, baseline)
      expect(larger!.score).toBeGreaterThanOrEqual(1)
    }
  })
})

describe('a metric of one value a window that stands still', () => {
  it('is seen where its values never came twice, and says since when', () => {
    const baseline = emptyBaseline()
    walk({ pattern: single(wave), to: 5 * DAY }, baseline)
    const stuck = walk({ pattern: () => [54.25], from: 5 * DAY, to: 6 * DAY }, baseline)
    expect(stuck.findIndex(({ score }) => score >= 1)).toBeLessThan(8)
    expect(stuck[50]!.reasons.join()).toContain('exactly 54.25 for 4 h, usually changes sooner')
    expect(stuck.slice(10).every(({ score }) => score >= 1)).toBe(true)
  })

  it('is usual where it has stood as long before', () => {
    const atNight = (i: number) => (i % DAY < 8 * HOUR ? 0 : wave(i))
    const pattern: Pattern = (i, random) => [atNight(i) === 0 ? 0 : atNight(i) + normal(random)]
    expect(alarms(walk({ pattern, to: 10 * DAY }).slice(3 * DAY))).toEqual([])
  })
})

describe('a constant', () => {
  const forms: [string, number][] = [
    ['one value a window', 1],
    ['five values a window', 5],
  ]

  it.each(forms)('is never anomalous, and its change is: %s', (_, count) => {
    for (const value of [0, 1, -273.15, 1e9]) {
      const baseline = emptyBaseline()
      const same: Pattern = () => Array.from({ length: count }, () => value)
      expect(alarms(walk({ pattern: same, to: 10 * DAY }, baseline))).toEqual([])
      const changed = Array.from({ length: count }, () => value + Math.max(1, Math.abs(value) / 100))
      const [verdict] = walk({ pattern: () => changed, from: 10 * DAY, to: 10 * DAY + 1 }, baseline)
      expect(verdict!.score).toBeGreaterThanOrEqual(1)
    }
  })

  it.each(forms)('may differ by what computing with floats makes of it: %s', (_, count) => {
    const pattern: Pattern = (i, random) =>
      Array.from({ length: count }, () => 0.3 * (i > 5 * DAY ? 1 + 1e-9 * random() : 1))
    expect(alarms(walk({ pattern, to: 6 * DAY }))).toEqual([])
  })
})

describe('integers', () => {
  it('a counter that grows and is reset now and then raises little', () => {
    for (const seed of SEEDS) {
      let total = 0
      const pattern: Pattern = (i, random) => {
        if (i % (2 * DAY) === 0) total = 0
        total += Math.floor(20 * random())
        return [total]
      }
      expect(alarms(walk({ pattern, to: 14 * DAY, seed }).slice(4 * DAY)).length).toBeLessThan(6)
    }
  })

  it.each([
    ['a gauge of 0, 1 and 2', (random: () => number) => Math.floor(3 * random())],
    ['a gauge that is nearly always 0', (random: () => number) => (random() < 0.03 ? 1 : 0)],
    ['counts as Poisson has them', poisson],
  ])('%s raises little once it is known, and shows ten times as much', (_, draw) => {
    for (const seed of SEEDS) {
      for (const count of [1, 5]) {
        const baseline = emptyBaseline()
        const pattern: Pattern = (_i, random) => Array.from({ length: count }, () => draw(random))
        const verdicts = walk({ pattern, to: 14 * DAY, seed }, baseline)
        expect(alarms(verdicts.slice(4 * DAY)).length / (10 / 7)).toBeLessThan(4) // a week
        const [far] = walk({ pattern: () => [40], from: 14 * DAY, to: 14 * DAY + 1 }, baseline)
        expect(far!.score).toBeGreaterThanOrEqual(1)
      }
    }
  })
})

/** About 4. */
function poisson(random: () => number): number {
  let events = -1
  for (let product = 1; product > Math.exp(-4); product *= random()) events += 1
  return events
}

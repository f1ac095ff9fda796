import { decodeArtefact, encodeArtefact } from '../../ml-service/baseline/artefact.ts'
import {
  type Baseline,
  emptyBaseline,
  stepBaseline,
  type Verdict,
} from '../../ml-service/baseline/baseline.ts'
import { type Random, seededRandom } from '../../telemetry/random.ts'
import { WINDOW_MS } from '../../telemetry/window.ts'
import { featuresOfValues } from '../../telemetry/window-features.ts'
import { FAULT_KINDS } from './fault-kinds.ts'
import type { RawSeries, RawWindow } from './raw-series.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const WINDOWS_A_DAY = DAY_MS / WINDOW_MS
/** The metric's spread is that of the week before. */
const WINDOWS_A_WEEK = 7 * WINDOWS_A_DAY
/** What a fault finds before it. */
const LEAD_MS = 2 * DAY_MS
/** Faults in one series, where it is long enough, and how far they lie apart at least. */
const PLACES = 40
const MIN_STRIDE_MS = 5 * HOUR_MS

/** One fault put into one place of a series. */
export interface Trial {
  kind: string
  /** In spreads; 0 where size means nothing. */
  size: number
  /** Windows from the fault's first one, counted, to the first that is anomalous by it; undefined: none within a day. */
  delay: number | undefined
}

/** Scored weeks of a series as it is, outside of its known failures, and the onsets marked in them. */
export interface CleanWalk {
  weeks: number
  onsets: number
  /** Days into which faults were put, and those of them that alarm by themselves. */
  days: number
  alarmedDays: number
}

/**
 * Puts every kind of fault into many places of a series, a day long each, and scores it with the baseline that had
 * learned what came before. Only windows that are not anomalous without the fault count.
 */
export function tryFaults({ windows, labels }: RawSeries): { trials: Trial[]; clean: CleanWalk } {
  const baseline = emptyBaseline()
  const places = placesOf(windows, labels)
  const snapshots = new Map<number, string>()
  const verdicts = windows.map((window, at) => {
    if (places.includes(at)) snapshots.set(at, snapshotOf(baseline))
    return step(baseline, window)
  })
  const trials = places.flatMap((at, place) =>
    faultyRuns(windows, at, seededRandom(place)).map(({ kind, size, run }) => {
      const clean = verdicts.slice(at, at + run.length)
      return { kind, size, delay: delayOf(restored(snapshots.get(at)!), run, clean) }
    }),
  )
  const alarmed = places.filter((at) =>
    verdicts.slice(at, at + WINDOWS_A_DAY).some(({ score }) => score >= 1),
  )
  return {
    trials,
    clean: { ...cleanWalkOf(verdicts, labels), days: places.length, alarmedDays: alarmed.length },
  }
}

const step = (baseline: Baseline, { start, values }: RawWindow) =>
  stepBaseline(baseline, featuresOfValues(start, values))

const IDENTITY = { tenantId: '', metricId: '', ledger: [] }
const snapshotOf = (baseline: Baseline) =>
  encodeArtefact({ ...IDENTITY, trainedUntil: baseline.learnedUntil!, baseline })
const restored = (snapshot: string) => decodeArtefact(snapshot).baseline

/** Windows in which a fault begins, evenly over the series: a day before its end, and no known failure near. */
function placesOf(windows: RawWindow[], labels: RawSeries['labels']): number[] {
  const first = windows[0]!.start + LEAD_MS
  const last = windows[windows.length - 1]!.start - DAY_MS
  const stride = Math.max(MIN_STRIDE_MS, (last - first) / PLACES)
  const places: number[] = []
  for (let time = first; time <= last; time += stride) {
    const isNear = labels.some(({ from, to }) => time + DAY_MS >= from && time - DAY_MS / 2 <= to)
    if (!isNear) places.push(windows.findIndex(({ start }) => start >= time))
  }
  return places
}

interface FaultyRun {
  kind: string
  size: number
  run: RawWindow[]
}

/** The day from window `at` on with each kind of fault in it. */
function faultyRuns(windows: RawWindow[], at: number, random: Random): FaultyRun[] {
  const before = windows.slice(Math.max(0, at - WINDOWS_A_WEEK), at).flatMap(({ values }) => values)
  const unit = (random() < 0.5 ? -1 : 1) * spreadOf(before)
  const day = windows.slice(at).filter(({ start }) => start < windows[at]!.start + DAY_MS)
  if (unit === 0) return []
  return FAULT_KINDS.flatMap(({ name, sizes, least = 1, of }) => {
    if (day[0]!.values.length < least) return []
    return sizes.map((size) => ({
      ...{ kind: name, size },
      run: day.map(({ start, values }, since) => {
        const earlier = valuesAt(windows, at + since, start - DAY_MS / 2)
        return {
          start,
          values: of(values, { size: size * unit, since, last: before.at(-1)!, earlier, random }),
        }
      }),
    }))
  })
}

/** Between 5 % and 95 %. */
function spreadOf(values: number[]): number {
  const sorted = Float64Array.from(values).sort()
  const at = (p: number) => sorted[Math.floor(p * sorted.length)]!
  return at(0.95) - at(0.05)
}

/** The values of the last window up to `at` that starts by `time`. */
function valuesAt(windows: RawWindow[], at: number, time: number): number[] {
  let i = at
  while (i > 0 && windows[i]!.start > time) i -= 1
  return windows[i]!.values
}

function delayOf(baseline: Baseline, run: RawWindow[], clean: Verdict[]): number | undefined {
  const seen = run.findIndex((window, i) => step(baseline, window).score >= 1 && clean[i]!.score < 1)
  return seen < 0 ? undefined : seen + 1
}

function cleanWalkOf(verdicts: Verdict[], labels: RawSeries['labels']): Pick<CleanWalk, 'weeks' | 'onsets'> {
  const scored = verdicts.filter(
    ({ state, windowStart, windowEnd }) =>
      state === 'ready' && !labels.some(({ from, to }) => windowEnd > from && windowStart <= to + DAY_MS),
  )
  const onsets = scored.filter(({ onsetScore }) => onsetScore >= 1).length
  return { weeks: scored.length / WINDOWS_A_WEEK, onsets }
}

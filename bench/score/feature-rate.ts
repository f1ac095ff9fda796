// Windows/s of feature extraction from raw datapoints ÷ DuckDB computing the same features over the same data, one
// thread each, and its growth. Prints a JSON object a line; `bench.ts` runs it in a process of its own.

import { seededRandom } from '../../telemetry/random.ts'
import { WINDOW_MS, windowStartOf } from '../../telemetry/window.ts'
import { featuresOfValues, type WindowFeatures } from '../../telemetry/window-features.ts'
import { medianOf, rounded } from '../statistics.ts'
import { type Datapoints, type DuckWindow, openDuckFeatures } from './duck-features.ts'

const ROUNDS = 5
const DATAPOINTS = 3_000_000
/** One datapoint a second. */
const STEP_MS = 1000
const START = Date.UTC(2026, 0, 1)
const [FEW, MANY] = [10, 1000]

function datapointsOf(seriesCount: number): Datapoints {
  const random = seededRandom(seriesCount)
  const each = DATAPOINTS / seriesCount
  const at = (i: number) => i % each
  const series = new Int32Array(DATAPOINTS).map((_, i) => Math.floor(i / each))
  const ts = new Float64Array(DATAPOINTS).map((_, i) => START + at(i) * STEP_MS)
  const values = new Float64Array(DATAPOINTS).map((_, i) => 70 + 5 * Math.sin(at(i) / 3000) + random())
  return { series, ts, values }
}

/** As the ML service goes through a metric's datapoints. */
function featuresOf({ series, ts, values }: Datapoints): WindowFeatures[] {
  const features: WindowFeatures[] = []
  for (let from = 0; from < ts.length; ) {
    const windowStart = windowStartOf(ts[from]!)
    let to = from + 1
    while (to < ts.length && series[to] === series[from] && ts[to]! < windowStart + WINDOW_MS) to += 1
    features.push(featuresOfValues(windowStart, values.subarray(from, to)))
    from = to
  }
  return features
}

interface Figures {
  windows: number
  seconds: number
  duckSeconds: number
}

async function measure(seriesCount: number): Promise<Figures[]> {
  const datapoints = datapointsOf(seriesCount)
  const duck = await openDuckFeatures(datapoints)
  const rounds: Figures[] = []
  for (let round = 0; round <= ROUNDS; round += 1) {
    let begun = performance.now()
    const features = featuresOf(datapoints)
    const seconds = (performance.now() - begun) / 1000
    begun = performance.now()
    await duck.compute()
    rounds.push({ windows: features.length, seconds, duckSeconds: (performance.now() - begun) / 1000 })
    if (round === 0) expectSame(features, await duck.windows())
  }
  duck.close()
  return rounds.slice(1) // the first one compiles
}

/** A rate counts only for the right answer. */
function expectSame(features: WindowFeatures[], theirs: DuckWindow[]): void {
  if (theirs.length !== features.length)
    throw new Error(`${features.length} windows here, ${theirs.length} in DuckDB.`)
  for (const [i, window] of features.entries()) {
    const other = theirs[i]!
    for (const key of ['count', 'mean', 'std', 'median', 'mad', 'min', 'max', 'range'] as const) {
      const difference = Math.abs(window[key] - other[key])
      if (difference > 1e-9 * Math.max(1, Math.abs(other[key])))
        throw new Error(`The ${key} of window ${i} is ${window[key]} here, ${other[key]} in DuckDB.`)
    }
  }
}

const tell = (line: object) => console.log(JSON.stringify(line))

const few = await measure(FEW)
const many = await measure(MANY)
const rate = medianOf(few.map(({ windows, seconds }) => windows / seconds))
tell({
  name: 'feature_rate',
  ratio: rounded(medianOf(few.map(({ seconds, duckSeconds }) => duckSeconds / seconds))),
  windows_per_second: Math.round(rate),
  duckdb_windows_per_second: Math.round(
    medianOf(few.map(({ windows, duckSeconds }) => windows / duckSeconds)),
  ),
  datapoints: DATAPOINTS,
})
const secondsOf = (figures: Figures[]) => medianOf(figures.map(({ seconds }) => seconds))
tell({ name: 'growth', of: 'feature_rate', ratio: rounded(secondsOf(many) / secondsOf(few)) })

import { readDemoSeries } from '../../local/demo/demo-series.ts'
import { sensorValues } from '../../ml-service/testing/telemetry.ts'
import { WINDOW_MS, windowStartOf } from '../../telemetry/window.ts'
import { listCorpus, readCorpusFile, readLabels, timeOf } from '../nab/corpus.ts'
import { medianOf } from '../statistics.ts'

/** A metric's values, window by window in order of time. */
export interface RawSeries {
  name: string
  /** What its row of the table is about. */
  group: string
  windows: RawWindow[]
  /** Known failures, ends inclusive, epoch ms. */
  labels: { from: number; to: number }[]
}

export interface RawWindow {
  start: number
  values: number[]
}

/** Any will do: the bench reads no clock. */
const DEMO_END = Date.UTC(2026, 0, 1)

/** Metrics of the simulated sensor, and how long each is watched. */
const SENSORS = 12
const SENSOR_WINDOWS = 21 * 288

/** What the repository carries: the demo's series, and a simulated sensor that tells a value a second. */
export const bundledSeries = (): RawSeries[] => [
  ...readDemoSeries(DEMO_END).map(({ device, points, labels }) => seriesOf(device, points, labels)),
  ...Array.from({ length: SENSORS }, (_, i) => sensorSeries(i + 1)),
]

/** The series of a corpus in NAB's layout that have a window at least every 300 s. */
export function corpusSeries(dir: string, labelFile: string | undefined): RawSeries[] {
  const labels = labelFile === undefined ? {} : readLabels(labelFile)
  return listCorpus(dir)
    .map((name) => {
      const { times, values } = readCorpusFile(dir, name)
      const points = values.flatMap((text, i): [number, number][] =>
        text.trim() !== '' && Number.isFinite(Number(text)) ? [[times[i]!, Number(text)]] : [],
      )
      const spans = (labels[name] ?? []).map(([from, to]) => ({ from: timeOf(from), to: timeOf(to) }))
      return seriesOf(name, points, spans)
    })
    .filter(({ windows }) => cadenceOf(windows) === WINDOW_MS)
}

/** A timestamp that comes again replaces its value, as in the product. */
function seriesOf(name: string, points: [number, number][], labels: RawSeries['labels']): RawSeries {
  const byWindow = new Map<number, number[]>()
  const inOrder = [...new Map(points)].sort(([a], [b]) => a - b)
  for (const [time, value] of inOrder) {
    const start = windowStartOf(time)
    const values = byWindow.get(start)
    if (values) values.push(value)
    else byWindow.set(start, [value])
  }
  const windows = [...byWindow].map(([start, values]) => ({ start, values }))
  const isSingle = medianOf(windows.map(({ values }) => values.length)) === 1
  return { name, group: isSingle ? 'one datapoint a window' : 'a datapoint a minute', windows, labels }
}

const sensorSeries = (seed: number): RawSeries => ({
  name: `sensor-${seed}`,
  group: 'simulated, one a second',
  windows: sensorValues({ windows: SENSOR_WINDOWS, seed }).map((values, i) => ({
    start: i * WINDOW_MS,
    values,
  })),
  labels: [],
})

function cadenceOf(windows: RawWindow[]): number {
  const steps = windows.slice(1).map(({ start }, i) => start - windows[i]!.start)
  return steps.length === 0 ? 0 : medianOf(steps)
}

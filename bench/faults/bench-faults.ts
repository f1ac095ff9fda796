// `npm run bench:faults -- [--data DIR [--labels FILE]] [--json]`: puts faults into real series, or into those that the
// repository carries and a simulated sensor, and prints how many the product's detection finds, and how soon.
import { parseArgs } from 'node:util'
import { medianOf } from '../statistics.ts'
import { bundledSeries, corpusSeries, type RawSeries } from './raw-series.ts'
import { type CleanWalk, type Trial, tryFaults } from './try-faults.ts'

/** Faults of one kind and size in the series of one group. */
interface Row {
  group: string
  kind: string
  size: number
  trials: number
  found: number
  /** Windows until it was found, counted with the first; undefined where none was. */
  medianDelay: number | undefined
}

interface Group {
  name: string
  series: number
  clean: CleanWalk
  rows: Row[]
}

function groupOf(name: string, series: RawSeries[]): Group {
  const results = series.map(tryFaults)
  const sum = (of: (clean: CleanWalk) => number) => results.reduce((total, { clean }) => total + of(clean), 0)
  return {
    ...{ name, series: series.length },
    clean: {
      weeks: sum(({ weeks }) => weeks),
      onsets: sum(({ onsets }) => onsets),
      days: sum(({ days }) => days),
      alarmedDays: sum(({ alarmedDays }) => alarmedDays),
    },
    rows: rowsOf(
      name,
      results.flatMap(({ trials }) => trials),
    ),
  }
}

function rowsOf(group: string, trials: Trial[]): Row[] {
  const byKind = Map.groupBy(trials, ({ kind, size }) => `${kind} ${size}`)
  return [...byKind.values()].map((same) => {
    const delays = same.flatMap(({ delay }) => delay ?? [])
    const { kind, size } = same[0]!
    return {
      ...{ group, kind, size, trials: same.length, found: delays.length },
      medianDelay: delays.length === 0 ? undefined : medianOf(delays),
    }
  })
}

function print({ name, series, clean, rows }: Group): void {
  const { weeks, onsets, days, alarmedDays } = clean
  console.log(`\n${name}: ${series} series; without a fault ${(onsets / weeks).toFixed(1)} onsets a week,`)
  console.log(`${percent(alarmedDays, days)} of ${days} days with an alarm`)
  for (const { kind, size, trials, found, medianDelay } of rows) {
    const what = `${kind.padEnd(26)}${size === 0 ? ''.padStart(5) : String(size).padStart(5)}`
    const delay = medianDelay === undefined ? '-' : String(medianDelay)
    console.log(
      `${what}${`${found} of ${trials}`.padStart(14)}${percent(found, trials).padStart(7)}${delay.padStart(7)}`,
    )
  }
}

const percent = (part: number, whole: number) => (whole === 0 ? '-' : `${Math.round((100 * part) / whole)} %`)

function main(): void {
  const text = { type: 'string' } as const
  const { values } = parseArgs({ options: { data: text, labels: text, json: { type: 'boolean' } } })
  const series = values.data === undefined ? bundledSeries() : corpusSeries(values.data, values.labels)
  for (const [name, members] of Map.groupBy(series, ({ group }) => group)) {
    const group = groupOf(name, members)
    if (values.json) for (const row of group.rows) console.log(JSON.stringify(row))
    else print(group)
  }
}

try {
  main()
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
process.disconnect?.() // the channel to run.mjs would keep this process

import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { seededRandom } from '../../telemetry/random.ts'
import { WINDOW_MS } from '../../telemetry/window.ts'
import { FAULT_KINDS } from './fault-kinds.ts'
import { corpusSeries, type RawSeries } from './raw-series.ts'
import { tryFaults } from './try-faults.ts'

const DAY = 288
const START = Date.UTC(2026, 0, 1)

/** Five values a window, 0 to 1 above 20, and 500 more in the window `alarm`. */
function series(days: number, labels: RawSeries['labels'] = [], alarm?: number): RawSeries {
  const random = seededRandom(1)
  const windows = Array.from({ length: days * DAY }, (_, i) => ({
    start: START + i * WINDOW_MS,
    values: Array.from({ length: 5 }, () => 20 + random() + (i === alarm ? 500 : 0)),
  }))
  return { name: 'steady', group: 'steady', windows, labels }
}

describe('tryFaults()', () => {
  it('tries each kind and size at each place, and finds what is plain', () => {
    const { trials, clean } = tryFaults(series(4))
    const sizes = FAULT_KINDS.flatMap((kind) => kind.sizes).length
    expect(clean.days).toBe(5) // every 5 h of the third day
    expect(trials.length).toBe(sizes * clean.days)
    const of = (kind: string, size: number) => trials.filter((one) => one.kind === kind && one.size === size)
    for (const one of [...of('level shift', 2), ...of('stuck value', 0), ...of('dropout of 4 in 5', 0)]) {
      expect(one.delay).toBe(1)
    }
  })

  it('puts no fault near a known failure, and does not count its alarms', () => {
    const alarm = 2 * DAY + 100
    const time = START + alarm * WINDOW_MS
    const labelled = tryFaults(series(4, [{ from: time, to: time }], alarm)).clean
    expect([labelled.days, labelled.onsets]).toEqual([0, tryFaults(series(2)).clean.onsets])
    expect(tryFaults(series(4, [], alarm)).clean.alarmedDays).toBeGreaterThan(0)
  })
})

describe('corpusSeries()', () => {
  it('takes the series with a window every 300 s, and tells them apart by their datapoints', () => {
    const dir = mkdtempSync(path.join(tmpdir(), 'edgepulse-faults-'))
    mkdirSync(path.join(dir, 'some'))
    const write = (name: string, minutes: number) => {
      const rows = Array.from({ length: 300 }, (_, i) => new Date(START + i * minutes * 60_000).toISOString())
      const text = ['timestamp,value', ...rows.map((time, i) => `${time},${i % 7}`)].join('\n')
      writeFileSync(path.join(dir, 'some', name), text)
    }
    write('hourly.csv', 60)
    write('minutes.csv', 1)
    write('single.csv', 5)
    const found = corpusSeries(dir, undefined).map(({ name, group, windows }) => [
      name,
      group,
      windows.length,
    ])
    expect(found).toEqual([
      ['some/minutes.csv', 'a datapoint a minute', 60],
      ['some/single.csv', 'one datapoint a window', 300],
    ])
  })
})

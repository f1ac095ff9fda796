import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { WINDOW_MS, windowStartOf } from '../telemetry/window.ts'
import { featuresOfParts, featuresOfValues } from '../telemetry/window-features.ts'
import { decodeColumns, encodeColumns, type JournalColumns } from './columns-frame.ts'
import { decodeFlush, decodeState, encodeFlush, encodeState } from './window-frames.ts'
import {
  addColumns,
  type ClosedWindow,
  closableWindows,
  MAX_WINDOW_VALUES,
  nextCloseAt,
  removeClosable,
  type WindowState,
} from './window-state.ts'

const LATENESS_MS = 60_000
const T0 = Date.UTC(2026, 0, 1)

const columnsOf = (device: string, points: [ts: number, value: number][]): JournalColumns => ({
  series: [{ device, metric: 'm', unit: null }],
  offsets: Uint32Array.of(0, points.length),
  ts: Float64Array.from(points, ([ts]) => ts),
  values: Float64Array.from(points, ([, value]) => value),
})

function closeAll(state: WindowState, now: number): ClosedWindow[] {
  const closed = closableWindows(state, now, LATENESS_MS)
  removeClosable(state, now, LATENESS_MS, 3_600_000)
  return closed
}

const stateWith = (device: string, points: [number, number][], arrivalMs: number): WindowState => {
  const state: WindowState = new Map()
  addColumns(state, columnsOf(device, points), arrivalMs)
  return state
}

describe('a window', () => {
  it.each([
    ['by its series’ own later datapoint, exactly at end + lateness', [T0 + WINDOW_MS + LATENESS_MS], 0, 1],
    ['not a millisecond before', [T0 + WINDOW_MS + LATENESS_MS - 1], 0, 0],
    ['by the wall clock while its series is silent', [], WINDOW_MS + LATENESS_MS, 1],
    ['not while the silence is a millisecond too short', [], WINDOW_MS + LATENESS_MS - 1, 0],
  ])('closes %s', (_, laterTs, silentMs, windows) => {
    const arrival = T0 + 5_000
    const points = [T0, ...laterTs].map((ts): [number, number] => [ts, 1])
    const state = stateWith('d', points, arrival)
    expect(closableWindows(state, arrival + silentMs, LATENESS_MS)).toHaveLength(windows)
  })

  it('is not closed by the clock of another series that runs ahead', () => {
    const state = stateWith('right', [[T0, 1]], T0)
    addColumns(state, columnsOf('ahead', [[T0 + 10 * WINDOW_MS, 1]]), T0)
    expect(closableWindows(state, T0, LATENESS_MS)).toEqual([])
  })

  it.each([1_000, 7_000, 60_000, 90_000, 150_000, 299_000, 301_000, 600_000])(
    'comes in one part when datapoints arrive in time every %i ms',
    (cadenceMs) => {
      const state: WindowState = new Map()
      const parts = new Map<number, number>()
      for (let now = T0; now < T0 + 4 * 3_600_000; now += cadenceMs) {
        for (const { windowStart } of closeAll(state, now))
          parts.set(windowStart, (parts.get(windowStart) ?? 0) + 1)
        addColumns(state, columnsOf('d', [[now, 1]]), now)
      }
      expect(parts.size).toBeGreaterThan(20)
      expect(new Set(parts.values())).toEqual(new Set([1]))
    },
  )

  it('that gets too many values to keep closes early, and its parts together hold them all', () => {
    const state: WindowState = new Map()
    const values = Array.from({ length: MAX_WINDOW_VALUES + 10 }, (_, i) => (i * 7919) % 1000)
    addColumns(
      state,
      columnsOf(
        'd',
        values.map((value, i) => [T0 + i, value]),
      ),
      T0,
    )
    const early = closeAll(state, T0)
    expect(early.map(({ count }) => count)).toEqual([MAX_WINDOW_VALUES])
    const late = closeAll(state, T0 + 2 * WINDOW_MS)
    const { mean, std, ...merged } = featuresOfParts([...early, ...late])
    const { mean: wholeMean, std: wholeStd, ...whole } = featuresOfValues(T0, values)
    expect(merged).toEqual(whole)
    expect(mean).toBeCloseTo(wholeMean, 9)
    expect(std).toBeCloseTo(wholeStd, 9)
  })
})

describe('nextCloseAt', () => {
  it('is when the earliest open window closes, and undefined without one', () => {
    const state = stateWith('d', [[T0 + 1_000, 1]], T0 + 3_000)
    const at = nextCloseAt(state.values(), LATENESS_MS)
    expect(closableWindows(state, at! - 1, LATENESS_MS)).toHaveLength(0)
    expect(closableWindows(state, at!, LATENESS_MS)).toHaveLength(1)
    expect(nextCloseAt(new Map().values(), LATENESS_MS)).toBeUndefined()
  })
})

const batches = fc.array(
  fc.record({
    device: fc.constantFrom('a', 'b', 'c'),
    arrival: fc.nat(3_600_000),
    points: fc.uniqueArray(fc.tuple(fc.nat(1_800_000), fc.integer({ min: -50, max: 50 })), {
      minLength: 1,
      maxLength: 20,
      selector: ([ts]) => ts,
    }),
  }),
  { maxLength: 12 },
)

describe('any run of batches, closings and restarts', () => {
  it('puts every datapoint into exactly one part of its window', () => {
    fc.assert(
      fc.property(
        batches,
        fc.array(fc.constantFrom('close', 'restart', 'none'), { maxLength: 12 }),
        (sent, steps) => {
          let state: WindowState = new Map()
          const closed: ClosedWindow[] = []
          const expected = new Map<string, number[]>()
          sent.forEach(({ device, arrival, points }, i) => {
            const sorted = points
              .map(([ts, value]): [number, number] => [T0 + ts, value])
              .sort(([a], [b]) => a - b)
            for (const [ts, value] of sorted) {
              const key = `${device} ${windowStartOf(ts)}`
              expected.set(key, [...(expected.get(key) ?? []), value])
            }
            addColumns(state, decodeColumns(encodeColumns(columnsOf(device, sorted))), T0 + arrival)
            if (steps[i] === 'close') closed.push(...closeAll(state, T0 + arrival))
            if (steps[i] === 'restart') state = decodeState(encodeState(state))
          })
          closed.push(...closeAll(state, T0 + 30 * 3_600_000))
          const windows = decodeFlush(
            encodeFlush({ windows: closed.map((window, part) => ({ ...window, part })), usage: [] }),
          )
          const byWindow = Map.groupBy(
            windows.windows,
            ({ name, windowStart }) => `${name.device} ${windowStart}`,
          )
          expect(new Set(byWindow.keys())).toEqual(new Set(expected.keys()))
          for (const [key, values] of expected) {
            const merged = featuresOfParts(byWindow.get(key)!)
            const whole = featuresOfValues(merged.windowStart, values)
            expect(merged).toMatchObject({
              count: whole.count,
              median: whole.median,
              mad: whole.mad,
              range: whole.range,
            })
            expect(merged.mean).toBeCloseTo(whole.mean, 9)
          }
        },
      ),
    )
  })
})

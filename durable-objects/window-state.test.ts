import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { seededRandom } from '../telemetry/random.ts'
import { WINDOW_MS, windowStartOf } from '../telemetry/window.ts'
import { featuresOfParts, featuresOfValues } from '../telemetry/window-features.ts'
import { decodeColumns, encodeColumns, type JournalColumns } from './columns-frame.ts'
import { decodeFlush, decodeSegment, encodeFlush, encodeSegment } from './window-frames.ts'
import {
  addColumns,
  type ClosedWindow,
  closeDueWindows,
  closeLargestWindows,
  emptyState,
  forgetSilentSeries,
  nextCloseAt,
  seriesKey,
  WINDOW_BYTES,
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

const random = seededRandom(1)

const stateWith = (device: string, points: [number, number][], arrivalMs: number): WindowState => {
  const state = emptyState()
  addColumns(state, columnsOf(device, points), arrivalMs, random)
  return state
}

/** The state as it comes back from a checkpoint. */
function restarted(state: WindowState): WindowState {
  const copy = emptyState()
  const frame = encodeSegment({
    series: [...state.series.values()],
    devices: [...state.presence.devices.values()],
  })
  const { series: restored, devices } = decodeSegment(frame, random)
  for (const device of devices) copy.presence.devices.set(device.name, device)
  for (const series of restored) {
    copy.series.set(seriesKey(series.name), series)
    for (const { sketch } of series.windows.values()) copy.bytes += WINDOW_BYTES + sketch.bytes
  }
  return copy
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
    expect(closeDueWindows(state, arrival + silentMs, LATENESS_MS)).toHaveLength(windows)
  })

  it('is not closed by the clock of another series that runs ahead', () => {
    const state = stateWith('right', [[T0, 1]], T0)
    addColumns(state, columnsOf('ahead', [[T0 + 10 * WINDOW_MS, 1]]), T0, random)
    expect(closeDueWindows(state, T0, LATENESS_MS)).toEqual([])
  })

  it.each([1_000, 7_000, 60_000, 90_000, 150_000, 299_000, 301_000, 600_000])(
    'comes in one part when datapoints arrive in time every %i ms',
    (cadenceMs) => {
      const state = emptyState()
      const parts = new Map<number, number>()
      for (let now = T0; now < T0 + 4 * 3_600_000; now += cadenceMs) {
        for (const { windowStart } of closeDueWindows(state, now, LATENESS_MS))
          parts.set(windowStart, (parts.get(windowStart) ?? 0) + 1)
        addColumns(state, columnsOf('d', [[now, 1]]), now, random)
      }
      expect(parts.size).toBeGreaterThan(20)
      expect(new Set(parts.values())).toEqual(new Set([1]))
    },
  )

  it('of any number of values keeps a bounded memory, and its parts together count them all', () => {
    const values = Array.from({ length: 100_000 }, (_, i) => (i * 7919) % 1000)
    const state = stateWith(
      'd',
      values.map((value, i) => [T0 + i, value]),
      T0,
    )
    expect(state.bytes).toBeLessThan(20_480 + WINDOW_BYTES)
    const [window] = closeDueWindows(state, T0 + 2 * WINDOW_MS, LATENESS_MS)
    expect(window?.count).toBe(100_000)
    expect(Math.abs(window!.median - 499.5)).toBeLessThan(10)
    expect(state.bytes).toBe(0)
  })
})

describe('a state that grows too large', () => {
  it('closes its largest windows until it fits, and their parts lose nothing', () => {
    const state = emptyState()
    const sizes = [400, 10, 300, 5, 200]
    const points = (size: number) => Array.from({ length: size }, (_, i): [number, number] => [T0 + i, i])
    sizes.forEach((size, i) => {
      addColumns(state, columnsOf(`device-${i}`, points(size)), T0, random)
    })
    const limit = state.bytes - 1
    const closed = closeLargestWindows(state, limit)
    expect(closed.map(({ name, count }) => [name.device, count])).toEqual([['device-0', 400]])
    expect(state.bytes).toBeLessThanOrEqual(limit)
    addColumns(state, columnsOf('device-0', [[T0 + 1, 7]]), T0, random)
    const rest = closeDueWindows(state, T0 + 2 * WINDOW_MS, LATENESS_MS)
    const parts = [...closed, ...rest].filter(({ name }) => name.device === 'device-0')
    expect(featuresOfParts(parts)).toEqual(
      featuresOfValues(T0, [...points(400).map(([, value]) => value), 7]),
    )
    expect(state.bytes).toBe(0)
  })

  it('forgets series that are silent and hold nothing open', () => {
    const state = stateWith('d', [[T0, 1]], T0)
    forgetSilentSeries(state, T0 + 10, 5)
    expect(state.series.size).toBe(1)
    closeDueWindows(state, T0 + 2 * WINDOW_MS, LATENESS_MS)
    forgetSilentSeries(state, T0 + 5, 5)
    expect(state.series.size).toBe(1)
    forgetSilentSeries(state, T0 + 6, 5)
    expect(state.series.size).toBe(0)
  })
})

describe('nextCloseAt', () => {
  it('is when the earliest open window closes, and undefined without one', () => {
    const state = stateWith('d', [[T0 + 1_000, 1]], T0 + 3_000)
    const at = nextCloseAt(state.series.values(), LATENESS_MS)
    expect(closeDueWindows(state, at! - 1, LATENESS_MS)).toHaveLength(0)
    expect(closeDueWindows(state, at!, LATENESS_MS)).toHaveLength(1)
    expect(nextCloseAt([], LATENESS_MS)).toBeUndefined()
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
          let state = emptyState()
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
            addColumns(state, decodeColumns(encodeColumns(columnsOf(device, sorted))), T0 + arrival, random)
            if (steps[i] === 'close') closed.push(...closeDueWindows(state, T0 + arrival, LATENESS_MS))
            if (steps[i] === 'restart') state = restarted(state)
          })
          closed.push(...closeDueWindows(state, T0 + 30 * 3_600_000, LATENESS_MS))
          expect(state.bytes).toBe(0)
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

import { describe, expect, it } from 'vitest'
import type { Anomaly, MetricWindow } from '../api/schemas.ts'
import { chartColumns } from './chart-columns.ts'
import { historyOf } from './history.ts'
import { isolatedIndexes } from './isolated-points.ts'
import { learningSpans } from './learning-spans.ts'

const WINDOW_MS = 300_000

describe('historyOf()', () => {
  it('pairs windows and verdicts by their start, oldest first', () => {
    const history = historyOf([windowAt(2), windowAt(1)], [anomalyAt(1), anomalyAt(3)])
    expect(history.map(({ windowStart }) => windowStart / WINDOW_MS)).toEqual([1, 2, 3])
    expect(history.map(({ window, anomaly }) => [!!window, !!anomaly])).toEqual([
      [true, true],
      [true, false],
      [false, true],
    ])
  })
})

describe('chartColumns()', () => {
  it('gives empty columns for an empty history', () => {
    expect(chartColumns([])).toMatchObject({ time: [], median: [], score: [] })
  })

  it('breaks the line where windows are missing', () => {
    const { time, median, entries } = chartColumns(historyOf([0, 1, 2, 3, 20].map(windowAt), []))
    expect(median).toEqual([10, 10, 10, 10, null, 10])
    expect(entries[4]).toBeUndefined()
    expect(time).toEqual([...time].sort((a, b) => a - b))
  })

  it('takes hourly data for what it is: nothing is missing', () => {
    expect(chartColumns(historyOf([0, 12, 24, 36].map(windowAt), [])).median).not.toContain(null)
  })

  it('has no score while learning', () => {
    const { score } = chartColumns(historyOf([], [anomalyAt(0, { state: 'learning' }), anomalyAt(1)]))
    expect(score).toEqual([null, 0.2])
  })

  it('marks a window from the threshold on', () => {
    const verdicts = [anomalyAt(0, { score: 0.999 }), anomalyAt(1, { score: 1 })]
    expect(chartColumns(historyOf([0, 1].map(windowAt), verdicts)).anomalous).toEqual([null, 10])
  })
})

describe('learningSpans()', () => {
  it('joins neighbours and ends where the metric was ready', () => {
    const learning = (index: number) => anomalyAt(index, { state: 'learning' })
    const history = historyOf([], [learning(0), learning(1), anomalyAt(2), learning(3)])
    const inWindows = learningSpans(history).map(({ from, to }) => [from / WINDOW_MS, to / WINDOW_MS])
    expect(inWindows).toEqual([
      [0, 2],
      [3, 4],
    ])
  })
})

describe('isolatedIndexes()', () => {
  it('finds values without neighbours', () => {
    expect(isolatedIndexes([])).toEqual([])
    expect(isolatedIndexes([1])).toEqual([0])
    expect(isolatedIndexes([1, 2, null, 3, null, 0])).toEqual([3, 5])
  })
})

function windowAt(index: number): MetricWindow {
  const window_start = index * WINDOW_MS
  const window_end = window_start + WINDOW_MS
  return {
    window_start,
    window_end,
    count: 1,
    mean: 10,
    std: 0,
    median: 10,
    mad: 0,
    min: 9,
    max: 11,
    range: 2,
  }
}

function anomalyAt(index: number, fields: Partial<Anomaly> = {}): Anomaly {
  const window_start = index * WINDOW_MS
  const window_end = window_start + WINDOW_MS
  return {
    window_start,
    window_end,
    score: 0.2,
    state: 'ready',
    reasons: [],
    expected: { low: null, high: null },
    ...fields,
  }
}

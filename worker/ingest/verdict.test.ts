import { describe, expect, test } from 'vitest'
import { acceptedColumns } from '../../telemetry/accepted-columns.ts'
import { jsonFormat } from '../../telemetry/batch-format.ts'
import { unpackRejections } from '../../telemetry/rejection.ts'
import { judgeBatch } from './verdict.ts'

const NOW = Date.UTC(2026, 0, 1, 12)
const MINUTE_MS = 60_000
const YEAR_2000_MS = Date.UTC(2000, 0, 1)

/** The datapoints stored, as [device, ts, value], and those rejected, as [place, code]. */
function judged(body: object) {
  const batch = jsonFormat.parse(new TextEncoder().encode(JSON.stringify(body)), NOW)
  const { columns, rejected } = judgeBatch(batch, NOW)
  const rejections = unpackRejections(rejected)
  expect(columns.ts.length + rejections.length).toBe(batch.ts.length)
  expect(acceptedColumns(batch, rejections)).toEqual(columns) // the consumer comes to the same
  const stored = columns.series.flatMap(({ device }, s) =>
    Array.from(columns.ts.subarray(columns.offsets[s], columns.offsets[s + 1]), (ts, i) => {
      return [device, ts, columns.values[columns.offsets[s]! + i]]
    }),
  )
  return { stored, rejected: rejections.map(({ ordinal, code }) => [batch.pathOf(ordinal), code]) }
}

const series = (points: unknown[], more = {}) => ({ series: [{ device: 'd', metric: 'm', points }], ...more })
const datapoint = (ts: unknown, value: unknown, device = 'd') => ({ device, metric: 'm', ts, value })

describe('judgeBatch', () => {
  test.each([
    ['the time of arrival', NOW, undefined],
    ['ten minutes ahead', NOW + 10 * MINUTE_MS, undefined],
    ['a millisecond more', NOW + 10 * MINUTE_MS + 1, 'timestamp_in_future'],
    ['the far future', Number.MAX_VALUE, 'timestamp_in_future'],
    ['the first instant of 2000', YEAR_2000_MS, undefined],
    ['the last one before', YEAR_2000_MS - 1, 'timestamp_too_old'],
    ['seconds sent as milliseconds', NOW / 1000, 'timestamp_too_old'],
    ['microseconds sent as milliseconds', NOW * 1000, 'timestamp_in_future'],
    ['the far past', -Number.MAX_VALUE, 'timestamp_too_old'],
    ['minus zero', -0, 'timestamp_too_old'],
  ])('of %s', (_, ts, code) => {
    const { stored, rejected } = judged(series([[ts, 1]]))
    expect(rejected).toEqual(code === undefined ? [] : [['series[0].points[0]', code]])
    expect(stored).toEqual(code === undefined ? [['d', ts, 1]] : [])
  })

  test('seconds beyond what a double of milliseconds holds are only too far ahead', () => {
    const { rejected } = judged(
      series(
        [
          [1e308, 1],
          ['-99999999999999999999', 1],
        ],
        { precision: 's' },
      ),
    )
    expect(rejected.map(([, code]) => code)).toEqual(['timestamp_in_future', 'timestamp_too_old'])
  })

  test('of repeats the last one counts, over both shapes, several entries, and notations of one instant', () => {
    const iso = new Date(NOW).toISOString()
    const body = {
      datapoints: [datapoint(iso, 5), datapoint(NOW - 1, 6), datapoint(iso.replace('Z', '+00:00'), 7)],
      series: [
        {
          device: 'd',
          metric: 'm',
          points: [
            [NOW, 1],
            [NOW - 1, 2],
          ],
        },
        { device: 'other', metric: 'm', points: [[NOW, 3]] },
        { device: 'd', metric: 'm', points: [[NOW, 4]] },
      ],
    }
    expect(judged(body)).toEqual({
      stored: [
        ['d', NOW - 1, 6],
        ['d', NOW, 7],
        ['other', NOW, 3],
      ],
      rejected: [
        ['series[0].points[0]', 'duplicate_timestamp'],
        ['series[0].points[1]', 'duplicate_timestamp'],
        ['series[2].points[0]', 'duplicate_timestamp'],
        ['datapoints[0]', 'duplicate_timestamp'],
      ],
    })
  })

  test('repeats are looked for when timestamps have been floored to the millisecond', () => {
    const ns = (rest: string) => `${NOW}${rest}`
    const { stored, rejected } = judged(
      series(
        [
          [ns('000000'), 1],
          [ns('999999'), 2],
          [`${NOW - 1}999999`, 3],
        ],
        { precision: 'ns' },
      ),
    )
    expect(stored).toEqual([
      ['d', NOW - 1, 3],
      ['d', NOW, 2],
    ])
    expect(rejected).toEqual([['series[0].points[0]', 'duplicate_timestamp']])
  })

  test('what cannot be stored anyway replaces nothing', () => {
    const late = NOW + 11 * MINUTE_MS
    expect(
      judged(
        series([
          [NOW, 1],
          [NOW, null],
          [late, 2],
          [late, 3],
          [NOW - 1, null],
          [NOW - 1, null],
        ]),
      ),
    ).toEqual({
      stored: [['d', NOW, 1]],
      rejected: [
        ['series[0].points[1]', 'null_value'],
        ['series[0].points[2]', 'timestamp_in_future'],
        ['series[0].points[3]', 'timestamp_in_future'],
        ['series[0].points[4]', 'null_value'],
        ['series[0].points[5]', 'null_value'],
      ],
    })
  })

  test('rejections come in the order of the body, series before datapoints, whatever they are for', () => {
    const body = {
      datapoints: [datapoint(NOW, null), datapoint(1, 1), datapoint(NOW, 1, 'other')],
      ...series([
        [NOW, 1],
        [NOW + 11 * MINUTE_MS, 1],
        [NOW, null],
        [NOW, 2],
        [2, null],
      ]),
    }
    expect(judged(body).rejected).toEqual([
      ['series[0].points[0]', 'duplicate_timestamp'],
      ['series[0].points[1]', 'timestamp_in_future'],
      ['series[0].points[2]', 'null_value'],
      ['series[0].points[4]', 'null_value'],
      ['datapoints[0]', 'null_value'],
      ['datapoints[1]', 'timestamp_too_old'],
    ])
  })
})

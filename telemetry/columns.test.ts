import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type BodyOrder, type Columns, dropOlder, groupBySeries, type SeriesName } from './columns.ts'

const name = (i: number): SeriesName => ({ device: `d${i}`, metric: 'm', unit: null })

/** A datapoint in body order: which series, when, and whether it is to be skipped. */
type Entry = [series: number, ts: number, skip: boolean]

const inAnyOrder = fc.array(fc.tuple(fc.nat(4), fc.integer({ min: -3, max: 3 }), fc.boolean()), {
  maxLength: 40,
})
/** As most senders have it, but for an entry or so. */
const nearlyInOrder = fc
  .tuple(inAnyOrder, fc.nat(40), fc.tuple(fc.nat(4), fc.integer({ min: -3, max: 3 })))
  .map(([list, at, [series, ts]]): Entry[] => {
    const sorted = list.map(([s, time]): Entry => [s, time, false]).sort(([a, t], [b, u]) => a - b || t - u)
    const unique = sorted.filter(([s, time], i) => s !== sorted[i - 1]?.[0] || time !== sorted[i - 1]?.[1])
    return unique.toSpliced(at, 1, [series, ts, false])
  })
const entries = fc.oneof(inAnyOrder, nearlyInOrder)

/** Values tell where they came from: they are the ordinals. */
function bodyOf(list: Entry[]): BodyOrder {
  return {
    names: [0, 1, 2, 3, 4].map(name),
    seriesOf: Uint32Array.from(list, ([series]) => series),
    ts: Float64Array.from(list, ([, ts]) => ts),
    values: Float64Array.from(list, (_, ordinal) => ordinal),
  }
}

/** Without anything to skip, and in order, the columns are the body's own. */
function group(list: Entry[]) {
  const skip = Uint8Array.from(list, ([, , skip]) => Number(skip))
  return groupBySeries(bodyOf(list), skip.includes(1) ? skip : undefined)
}

function rowsOf({ series, offsets, ts, values, ordinals }: Columns) {
  return series.flatMap(({ device }, s) =>
    Array.from({ length: offsets[s + 1]! - offsets[s]! }, (_, k) => {
      const i = offsets[s]! + k
      return { device, ts: ts[i], value: values[i], ordinal: ordinals[i] }
    }),
  )
}

/** The same by a map per series: slow and plain. */
function expectedRows(list: Entry[]) {
  return [0, 1, 2, 3, 4].flatMap((series) => {
    const last = new Map<number, number>()
    list.forEach(([own, ts, skip], ordinal) => {
      if (own === series && !skip) last.set(ts, ordinal)
    })
    return [...last]
      .sort(([a], [b]) => a - b)
      .map(([ts, ordinal]) => ({ device: `d${series}`, ts, value: ordinal, ordinal }))
  })
}

test('datapoints come out by series and time, the last of each repeated timestamp', () => {
  fc.assert(
    fc.property(entries, (list) => {
      expect(rowsOf(group(list).columns)).toEqual(expectedRows(list))
    }),
  )
})

test('what is neither skipped nor kept is told as repeated', () => {
  fc.assert(
    fc.property(entries, (list) => {
      const { columns, repeated } = group(list)
      const skipped = list.flatMap(([, , skip], ordinal) => (skip ? [ordinal] : []))
      const all = [...columns.ordinals, ...repeated, ...skipped].sort((a, b) => a - b)
      expect(all).toEqual(list.map((_, ordinal) => ordinal))
    }),
  )
})

test('a series without a datapoint left has no place in the columns', () => {
  const { columns } = group([
    [0, 1, true],
    [2, 1, false],
  ])
  expect(columns.series).toEqual([name(2)])
  expect([...columns.offsets]).toEqual([0, 1])
})

test('columns never carry more memory than they show', () => {
  fc.assert(
    fc.property(entries, fc.integer({ min: -4, max: 4 }), (list, minTs) => {
      const { columns } = dropOlder(group(list).columns, minTs)
      for (const column of [columns.ts, columns.values, columns.ordinals]) {
        expect(column.buffer.byteLength).toBe(column.byteLength)
      }
    }),
  )
})

test('what is older goes, what is exactly as old stays', () => {
  fc.assert(
    fc.property(entries, fc.integer({ min: -4, max: 4 }), (list, minTs) => {
      const before = group(list).columns
      const { columns, dropped } = dropOlder(before, minTs)
      const isOld = ({ ts }: { ts: number | undefined }) => ts! < minTs
      expect(rowsOf(columns)).toEqual(rowsOf(before).filter((row) => !isOld(row)))
      expect(dropped).toEqual(
        rowsOf(before)
          .filter(isOld)
          .map(({ ordinal }) => ordinal),
      )
    }),
  )
})

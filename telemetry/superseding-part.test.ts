import { expect, test } from 'vitest'
import { countingRows } from './superseding-part.ts'

const part = (count: number) => ({ count, superseded: null })
const superseding = (superseded: number) => ({ count: 7, superseded })

test.each([
  ['no row', [], []],
  ['one part', [part(3)], [0]],
  ['several parts', [part(3), part(4)], [0, 1]],
  ['a superseding row whose parts were lost', [superseding(0)], [0]],
  ['a superseding row over its parts', [superseding(8), part(3), part(5)], [0]],
  ['a superseding row and a part that came since', [superseding(3), part(3), part(5)], undefined],
  ['a superseding row over lost parts and a part that came since', [superseding(0), part(1)], undefined],
])('%s', (_, rows, counting) => {
  expect(countingRows(rows)?.map((row) => rows.indexOf(row))).toEqual(counting)
})

import { expect, test } from 'vitest'
import { partOfDatapoints } from '../../telemetry/window-features.ts'
import { standingRow, supersedingRow } from './judge-window.ts'

const computed = partOfDatapoints(0, [1, 2, 3, 4], [230.1, 230.5, 229.7, 230.2])
const part = { ...computed, superseded: null }
const first = { ...partOfDatapoints(0, [1, 2], [230.1, 230.5]), superseded: null }
const second = { ...partOfDatapoints(0, [3, 4], [229.7, 230.2]), superseded: null }
const superseding = { ...computed, superseded: 3 }
const three = { ...part, count: 3 }

test.each([
  ['a part of the same datapoints', [part]],
  [
    'one whose sums were taken in another order',
    [{ ...part, mean: part.mean + 1e-12, m2: part.m2 * (1 + 1e-10) }],
  ],
  ['two parts that come to the same', [first, second]],
  ['a superseding row over the parts it was written for', [superseding, three]],
  ['a superseding row over parts that were lost', [{ ...superseding, superseded: 0 }]],
])('%s needs no row', (_, rows) => {
  expect(supersedingRow(rows, computed)).toBeUndefined()
})

test.each([
  ['nothing', [], 0],
  ['one part of two', [first], 2],
  ['another count', [{ ...part, count: 5 }], 5],
  ['another mean', [{ ...part, mean: part.mean + 1e-3 }], 4],
  ['another deviation', [{ ...part, m2: part.m2 * 1.01 }], 4],
  ['another least value', [{ ...part, min: 229.6 }], 4],
  ['another greatest value', [{ ...part, max: 230.6 }], 4],
  ['another first timestamp', [{ ...part, firstTs: 0 }], 4],
  ['another last timestamp', [{ ...part, lastTs: 5 }], 4],
  ['a superseding row that a part came to', [superseding, three, first], 5],
  [
    'a superseding row that a part came to, of which all parts now tell the same',
    [superseding, first, second],
    4,
  ],
  ['a superseding row of other datapoints', [{ ...superseding, mean: 231 }, three], 3],
])('%s is superseded', (_, rows, superseded) => {
  expect(supersedingRow(rows, computed)).toEqual({ ...computed, superseded })
})

test('a corrected window needs a row of its own though its parts tell the same, and once it has that no other', () => {
  const row = standingRow([first, second], computed)
  expect(row).toEqual({ ...computed, superseded: 4 })
  expect(standingRow([row!, first, second], computed)).toBeUndefined()
  expect(standingRow([row!, first, second, part], computed)).toMatchObject({ superseded: 8 })
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { batchRows, type LoadedBatch, versionOf } from './batch-rows.ts'
import { groupBySeries } from './columns.ts'
import { parseJsonBatch } from './json-batch.ts'
import { metricIdOf } from './series-id.ts'

const TENANT = '0f8fad5b-d9cb-469f-a165-70867728950e'

function batch(
  batchId: string,
  receivedAt: number,
  points: [device: string, ts: number, value: number][],
): LoadedBatch {
  const datapoints = points.map(([device, ts, value]) => ({
    device,
    metric: 'm',
    ts,
    value,
    unit: `u${receivedAt}`,
  }))
  const body = parseJsonBatch(Buffer.from(JSON.stringify({ datapoints })))
  const { columns } = groupBySeries(body)
  return { batchId, r2Key: `raw/${TENANT}/${batchId}`, shard: 0, receivedAt, rejected: 0, columns }
}

const batches = fc
  .uniqueArray(
    fc.record({
      id: fc.nat(100),
      receivedAt: fc.integer({ min: 1, max: 3 }),
      points: fc.array(fc.tuple(fc.constantFrom('a', 'b'), fc.nat(5), fc.integer({ min: 0, max: 9 })), {
        minLength: 1,
      }),
    }),
    { selector: ({ id }) => id, minLength: 1, maxLength: 6 },
  )
  .map((sent) => sent.map(({ id, receivedAt, points }) => batch(`b${id}`, receivedAt, points)))

/** Rows as [metric id, ts, value, version], in their order. */
const rowsOf = (sent: LoadedBatch[]) => {
  const { metrics, datapoints } = batchRows(TENANT, sent)
  return Array.from(datapoints.ts, (ts, i) => {
    return [metrics.id[datapoints.metric[i]!]!, ts, datapoints.value[i]!, datapoints.version[i]!] as const
  })
}

describe('batchRows', () => {
  it('keeps of each series and timestamp the value received last, whatever the order of the batches', () => {
    fc.assert(
      fc.property(batches, (sent) => {
        const last = new Map<string, readonly [string, number, number, number]>()
        for (const { columns, receivedAt, batchId } of sent) {
          const version = versionOf(receivedAt, batchId)
          columns.series.forEach(({ device, metric }, s) => {
            for (let i = columns.offsets[s]!; i < columns.offsets[s + 1]!; i += 1) {
              const row = [
                metricIdOf(TENANT, device, metric),
                columns.ts[i]!,
                columns.values[i]!,
                version,
              ] as const
              const known = last.get(`${row[0]} ${row[1]}`)
              const later =
                known === undefined || version > known[3] || (version === known[3] && row[2] > known[2])
              if (later) last.set(`${row[0]} ${row[1]}`, row)
            }
          })
        }
        const byKey = (rows: Iterable<readonly [string, number, number, number]>) =>
          [...rows].sort((a, b) => (a[0] === b[0] ? a[1] - b[1] : a[0] < b[0] ? -1 : 1))
        expect(byKey(rowsOf(sent))).toEqual(byKey(last.values()))
        expect(byKey(rowsOf([...sent].reverse()))).toEqual(byKey(last.values()))
      }),
    )
  })

  it('names each device and metric once, with the latest arrival, unit and timestamp', () => {
    const rows = batchRows(TENANT, [
      batch('x', 20, [
        ['a', 5, 1],
        ['b', 9, 1],
      ]),
      batch('y', 10, [['a', 7, 1]]),
    ])
    expect(rows.devices.externalId.sort()).toEqual(['a', 'b'])
    const a = rows.metrics.id.indexOf(metricIdOf(TENANT, 'a', 'm'))
    expect(rows.metrics.lastMs[a]).toBe(7)
    const version = versionOf(20, 'x')
    expect(rows.metrics.unit[a]).toEqual({
      last: { unit: 'u20', version },
      previous: { unit: 'u10', version: versionOf(10, 'y') },
      since: version,
    })
    expect(rows.devices.lastSeenMs).toEqual([20, 20])
  })

  it('names each window once in which several batches bring the same timestamp', () => {
    const of = (...sent: LoadedBatch[]) => {
      const { metrics, repeated } = batchRows(TENANT, sent)
      return repeated.metric.map((m, i) => [metrics.id[m], repeated.windowStart[i]])
    }
    const first = batch('x', 1, [
      ['a', 5, 1],
      ['a', 300_006, 1],
      ['a', 300_007, 1],
      ['b', 5, 1],
    ])
    expect(of(first)).toEqual([])
    expect(of(first, batch('y', 2, [['a', 6, 1]]))).toEqual([]) // in between, not the same
    const again = batch('y', 2, [
      ['a', 300_006, 1],
      ['a', 300_007, 2],
      ['b', 7, 3],
    ])
    expect(of(again, first)).toEqual([[metricIdOf(TENANT, 'a', 'm'), 300_000]])
  })

  it('orders devices and metrics by id and datapoints by metric and timestamp, so that writers do not deadlock', () => {
    fc.assert(
      fc.property(batches, (sent) => {
        const { devices, metrics } = batchRows(TENANT, sent)
        expect(devices.id).toEqual([...devices.id].sort())
        expect(metrics.id).toEqual([...metrics.id].sort())
        const rows = rowsOf(sent)
        const sorted = [...rows].sort((a, b) => (a[0] === b[0] ? a[1] - b[1] : a[0] < b[0] ? -1 : 1))
        expect(rows).toEqual(sorted)
      }),
    )
  })
})

describe('versionOf', () => {
  it('is exact and grows with the time of arrival', () => {
    const year2200 = Date.UTC(2200, 0, 1)
    expect(Number.isSafeInteger(versionOf(year2200, 'x'))).toBe(true)
    expect(versionOf(1001, 'a')).toBeGreaterThan(versionOf(1000, 'z'))
  })
})

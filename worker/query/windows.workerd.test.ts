import { neonConfig } from '@neondatabase/serverless'
import { beforeAll, describe, expect, it } from 'vitest'
import { seededRandom } from '../../telemetry/random.ts'
import { Sketch } from '../../telemetry/sketch.ts'
import { sql } from '../testing/owner-sql.ts'
import { insertMetric, list, type Page } from '../testing/reads.ts'
import { createTenant, type TestTenant } from '../testing/tenant.ts'

let owner: TestTenant
let metricId: string

beforeAll(async () => {
  owner = await createTenant()
  metricId = await insertMetric(sql, owner)
})

describe('GET windows', () => {
  const start = Math.floor(Date.now() / 300_000) * 300_000 - 10 * 300_000

  /** `sketchBytes`: that many bytes which are no sketch, for one that must not be read. */
  async function insertPart(window: number, part: number, values: number[], sketchBytes = 0) {
    const sketch = new Sketch(seededRandom(1))
    for (const value of values) sketch.add(value)
    const hex = sketchBytes > 0 ? '' : Buffer.from(sketch.toBytes()).toString('hex')
    const at = new Date(start + window * 300_000)
    await sql`insert into window_aggregates (tenant_id, metric_id, window_start, shard, part, count, mean, m2, min, max,
        median, mad, first_ts, last_ts, sketch)
      values (${owner.id}, ${metricId}, ${at}, 9, ${part}, ${values.length}, 2, 0, 1, 9, ${values[0]}, 0, ${at}, ${at},
        decode(${hex} || repeat('00', ${sketchBytes}), 'hex'))`
  }

  it('merges the parts of a window, and reads sketches of no other', async () => {
    await insertPart(0, 1, [1], 500_000)
    await insertPart(1, 1, [1, 2])
    await insertPart(1, 2, [3])
    await insertPart(2, 1, [7], 500_000)
    let received = 0
    neonConfig.fetchFunction = async (url: string, init: RequestInit) => {
      const answer = await (await fetch(url, init)).text()
      received += answer.length
      return new Response(answer)
    }
    try {
      const range = `from=${start}&to=${start + 3 * 300_000}`
      const { data } = await list(owner, `/v1/metrics/${metricId}/windows?${range}`)
      expect(data.map(({ count, median }) => [count, median])).toEqual([
        [1, 1],
        [3, 2],
        [1, 7],
      ])
      expect(received).toBeLessThan(20_000)
      const first: Page = await list(owner, `/v1/metrics/${metricId}/windows?${range}&limit=2`)
      const rest = await list(owner, `/v1/metrics/${metricId}/windows?${range}&cursor=${first.next_cursor}`)
      expect([...first.data, ...rest.data]).toEqual(data)
    } finally {
      neonConfig.fetchFunction = undefined
    }
  })

  it('ends a page before a window whose sketches are too many for it', async () => {
    await insertPart(3, 1, [5])
    await insertPart(4, 1, [1], 4_500_000)
    await insertPart(4, 2, [1], 4_500_000)
    const range = `from=${start + 3 * 300_000}&to=${start + 6 * 300_000}`
    const page = await list(owner, `/v1/metrics/${metricId}/windows?${range}`)
    expect(page.data.map(({ median }) => median)).toEqual([5])
    expect(page.next_cursor).not.toBeNull()
  })

  it('takes a superseding row for its window, and the datapoints once a part came since', async () => {
    const at = (window: number) => new Date(start + window * 300_000)
    const supersede = (window: number, superseded: number) =>
      sql`insert into window_aggregates (tenant_id, metric_id, window_start, shard, part, count, mean, m2, min, max,
          median, mad, first_ts, last_ts, sketch, superseded, revision)
        values (${owner.id}, ${metricId}, ${at(window)}, -1, 0, 2, 4, 0, 4, 4, 4, 0, ${at(window)}, ${at(window)}, '',
          ${superseded}, 1)`
    await supersede(7, 0)
    await supersede(8, 3)
    await insertPart(8, 1, [1, 2, 3], 500_000)
    await supersede(9, 3)
    await insertPart(9, 1, [1, 2, 3])
    await insertPart(9, 2, [8])
    for (const [ms, value] of [
      [0, 5],
      [299_999, 6],
      [300_000, 100],
    ] as const) {
      await sql`insert into datapoints (tenant_id, metric_id, ts, value)
        values (${owner.id}, ${metricId}, ${new Date(at(9).getTime() + ms)}, ${value})`
    }
    const range = `from=${start + 7 * 300_000}&to=${start + 10 * 300_000}`
    const { data } = await list(owner, `/v1/metrics/${metricId}/windows?${range}`)
    expect(data.map(({ count, median }) => [count, median])).toEqual([
      [2, 4],
      [2, 4],
      [2, 5.5],
    ])
  })
})

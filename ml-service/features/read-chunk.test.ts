import fc from 'fast-check'
import pg from 'pg'
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import type { WindowFeatures } from '../../telemetry/window-features.ts'
import type { Series } from '../metric-lookup.ts'
import { type Point, seedTenant } from '../testing/seed-tenant.ts'
import { WINDOW } from '../testing/synthetic.ts'
import { readChunk } from './read-chunk.ts'
import { windowsOfAggregates } from './read-windows.ts'

const START = Date.UTC(2026, 0, 1)
const ALL = { from: Number.NEGATIVE_INFINITY, to: Number.POSITIVE_INFINITY }

let pool: pg.Pool
beforeAll(() => {
  pool = new pg.Pool({ connectionString: inject('databaseUrl'), max: 4 })
})
afterAll(() => pool.end())

async function expected(series: Series) {
  const windows: WindowFeatures[] = []
  const parts: number[] = []
  for await (const read of windowsOfAggregates(pool, { ...series, ...ALL })) {
    windows.push(read.window)
    parts.push(read.parts)
  }
  return { windows, parts }
}

/** Chunk after chunk, until each metric is read to its end. */
async function read(metrics: Series[], limit: number) {
  const found = new Map(metrics.map(({ metricId }): [string, Read] => [metricId, { windows: [], parts: [] }]))
  let open = metrics.map(({ metricId }) => ({ metricId, ...ALL }))
  while (open.length > 0) {
    const chunk = await readChunk(pool, metrics[0]!.tenantId, open, limit)
    open = open.flatMap(({ metricId }) => {
      const { windows = [], parts = [], cutShort = false } = chunk.get(metricId) ?? {}
      found.get(metricId)!.windows.push(...windows)
      found.get(metricId)!.parts.push(...parts)
      return cutShort ? [{ metricId, ...ALL, from: windows.at(-1)!.windowEnd }] : []
    })
  }
  return found
}

interface Read {
  windows: WindowFeatures[]
  parts: number[]
}

it('reads in chunks of any size what one metric after the other reads, also where a chunk ends amid a window', async () => {
  const partsOfWindows = fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 8 })
  await fc.assert(
    fc.asyncProperty(
      fc.array(partsOfWindows, { minLength: 1, maxLength: 3 }),
      fc.integer({ min: 1, max: 5 }),
      async (all, limit) => {
        const tenant = await seedTenant(pool)
        const metrics: Series[] = []
        for (const [m, partsOfWindow] of all.entries()) {
          const series = await tenant.series('pump', `m${m}`)
          metrics.push(series)
          for (let part = 0; part < 3; part += 1) {
            const points = partsOfWindow.flatMap((parts, w): Point[] =>
              parts > part ? [[START + w * WINDOW + part, w * 10 + part]] : [],
            )
            if (points.length > 0) await tenant.write(series, points)
          }
        }
        const chunks = await read(metrics, limit)
        for (const series of metrics) expect(chunks.get(series.metricId)).toEqual(await expected(series))
      },
    ),
    { numRuns: 40 },
  )
})

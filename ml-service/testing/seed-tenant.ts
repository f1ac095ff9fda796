import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type pg from 'pg'
import { onTestFinished } from 'vitest'
import { markDue } from '../../telemetry/batch-statements.ts'
import { addToMoments, emptyMoments } from '../../telemetry/moments.ts'
import { deviceIdOf, metricIdOf } from '../../telemetry/series-id.ts'
import { Sketch } from '../../telemetry/sketch.ts'
import { windowStartOf } from '../../telemetry/window.ts'
import type { Series } from '../metric-lookup.ts'

export type Point = [ts: number, value: number]

/** A tenant of one test's own, written to the database as the queue consumer writes. */
export interface SeededTenant {
  tenantId: string
  name: string
  /** A folder for its artefacts. */
  modelDir: string
  series(device: string, metric: string): Promise<Series>
  /** Datapoints, their windows' aggregates as parts of one shard, and the due row, in one transaction. */
  write(series: Series, points: Point[], options?: { datapoints?: boolean; shard?: number }): Promise<void>
}

let parts = 0

/** To be called within a test; its folder goes when the test has finished. */
export async function seedTenant(pool: pg.Pool): Promise<SeededTenant> {
  const tenantId = randomUUID()
  const name = `tenant ${tenantId}`
  await pool.query('insert into tenants (id, name) values ($1, $2)', [tenantId, name])
  const modelDir = mkdtempSync(path.join(tmpdir(), 'edgepulse-models-'))
  onTestFinished(() => rmSync(modelDir, { recursive: true, force: true }))
  return {
    tenantId,
    name,
    modelDir,
    series: async (device, metric) => {
      const deviceId = deviceIdOf(tenantId, device)
      const metricId = metricIdOf(tenantId, device, metric)
      await pool.query(
        'insert into devices (tenant_id, id, external_id, last_seen_at) values ($1, $2, $3, now()) on conflict do nothing',
        [tenantId, deviceId, device],
      )
      await pool.query('insert into metrics (tenant_id, id, device_id, name) values ($1, $2, $3, $4)', [
        tenantId,
        metricId,
        deviceId,
        metric,
      ])
      return { tenantId, metricId, device, metric }
    },
    write: (series, points, options) => write(pool, series, points, options),
  }
}

async function write(
  pool: pg.Pool,
  { tenantId, metricId }: Series,
  points: Point[],
  { datapoints = false, shard = 0 }: { datapoints?: boolean; shard?: number } = {},
): Promise<void> {
  const rows = partsOf(points)
  parts += 1
  const client = await pool.connect()
  try {
    await client.query('begin')
    if (datapoints) {
      await client.query(
        `insert into datapoints (tenant_id, metric_id, ts, value)
         select $1, $2, ts, value from unnest($3::timestamptz[], $4::float8[]) as p (ts, value)`,
        [tenantId, metricId, points.map(([ts]) => new Date(ts)), points.map(([, value]) => value)],
      )
    }
    await client.query(
      `insert into window_aggregates (tenant_id, metric_id, window_start, shard, part, count, mean, m2, min, max,
         median, mad, first_ts, last_ts, sketch)
       select $1, $2, w.start, $3, $4, w.count, w.mean, w.m2, w.min, w.max, w.median, w.mad, w.first, w.last, w.sketch
       from unnest($5::timestamptz[], $6::int[], $7::float8[], $8::float8[], $9::float8[], $10::float8[],
         $11::float8[], $12::float8[], $13::timestamptz[], $14::timestamptz[], $15::bytea[])
         as w (start, count, mean, m2, min, max, median, mad, first, last, sketch)`,
      [
        tenantId,
        metricId,
        shard,
        parts,
        rows.map((row) => new Date(row.start)),
        rows.map((row) => row.count),
        rows.map((row) => row.mean),
        rows.map((row) => row.m2),
        rows.map((row) => row.min),
        rows.map((row) => row.max),
        rows.map((row) => row.median),
        rows.map((row) => row.mad),
        rows.map((row) => new Date(row.first)),
        rows.map((row) => new Date(row.last)),
        rows.map((row) => row.sketch),
      ],
    )
    const starts = rows.map(({ start }) => start)
    await client.query(
      markDue(
        tenantId,
        rows.map(() => metricId),
        starts,
      ),
    )
    await client.query('commit')
  } finally {
    client.release()
  }
}

/** One part a window, as a shard makes them. */
export function partsOf(points: Point[]) {
  const groups = new Map<number, Point[]>()
  for (const point of points) {
    const start = windowStartOf(point[0])
    groups.set(start, [...(groups.get(start) ?? []), point])
  }
  return [...groups].map(([start, group]) => {
    const moments = emptyMoments()
    const sketch = new Sketch(Math.random)
    for (const [, value] of group) {
      addToMoments(moments, value)
      sketch.add(value)
    }
    const times = group.map(([ts]) => ts)
    const values = group.map(([, value]) => value)
    return {
      start,
      ...moments,
      min: Math.min(...values),
      max: Math.max(...values),
      median: sketch.median(),
      mad: sketch.mad(),
      first: Math.min(...times),
      last: Math.max(...times),
      sketch: Buffer.from(sketch.toBytes()),
    }
  })
}

import { randomUUID } from 'node:crypto'
import type pg from 'pg'

const METRICS_A_DEVICE = 100

/** A tenant with some metrics, all due, each with the same number of windows up to now. */
export interface SeededWindows {
  tenantId: string
  metrics: number
  windows: number
}

/**
 * Fills `window_aggregates` as the queue consumer does, one part a window of twelve datapoints: a level, a daily
 * wave and noise that differ from metric to metric. Foreign keys are not checked, which halves the time.
 */
export async function seedWindows(
  pool: pg.Pool,
  metrics: number,
  windowsEach: number,
): Promise<SeededWindows> {
  const tenantId = randomUUID()
  const client = await pool.connect()
  try {
    await client.query('begin')
    await client.query(`set local session_replication_role = replica`)
    await client.query('insert into tenants (id, name) values ($1, $2)', [tenantId, `bench ${tenantId}`])
    await client.query(
      `insert into devices (tenant_id, id, external_id, last_seen_at)
       select $1::uuid, md5($1::uuid || '/' || d)::uuid, 'device ' || d, now() from generate_series(0, ($2::int - 1) / $3::int) d`,
      [tenantId, metrics, METRICS_A_DEVICE],
    )
    await client.query(
      `insert into metrics (tenant_id, id, device_id, name)
       select $1::uuid, md5($1::uuid || '/metric/' || m)::uuid, md5($1::uuid || '/' || (m / $3::int))::uuid, 'metric ' || m
       from generate_series(0, $2::int - 1) m`,
      [tenantId, metrics, METRICS_A_DEVICE],
    )
    await client.query(
      `insert into window_aggregates (tenant_id, metric_id, window_start, shard, part, count, mean, m2, min, max,
         median, mad, first_ts, last_ts, sketch)
       select $1::uuid, m.id, w.start, 0, w.nth, 12, v.level, 12 * v.noise * v.noise, v.level - 2 * v.noise,
         v.level + 2 * v.noise, v.level + 0.1 * v.noise, 0.7 * v.noise, w.start, w.start + interval '275 s', '\\x'
       from (select id, row_number() over (order by id) as nth from metrics where tenant_id = $1) m
       cross join lateral (select n as nth, date_bin('300 s', now(), 'epoch') - (1 + $2::int - n) * interval '300 s' as start
         from generate_series(1, $2::int) n) w
       cross join lateral (select hashint8((m.nth * 1000003 + w.nth)::bigint) as hash) h
       cross join lateral (select (0.2 + m.nth % 7 * 0.1) * (0.9 + h.hash % 89 / 890.0) as noise,
         50 + m.nth % 100 + 0.2 * sin(w.nth * pi() / 144) + h.hash % 1000 / 1000.0 as level) v
       order by m.id, w.start`,
      [tenantId, windowsEach],
    )
    await client.query(
      'insert into due_metrics (tenant_id, metric_id) select tenant_id, id from metrics where tenant_id = $1',
      [tenantId],
    )
    await client.query('commit')
  } finally {
    client.release()
  }
  await pool.query('vacuum (analyze) window_aggregates, metrics, due_metrics')
  return { tenantId, metrics, windows: metrics * windowsEach }
}

import pg from 'pg'
import { Sketch } from '../../telemetry/sketch.ts'

/** Ids of things that have much below them, and the longest range that may be asked for, which has all in it. */
export interface Loaded {
  tenantId: string
  metricId: string
  webhookId: string
  deviceId: string
  from: Date
  to: Date
}

const DAYS = 30

/**
 * Fills a migrated database: one tenant with 2,000,000 datapoints of 200 metrics over 30 days and everything else
 * in proportion, in the order in which it would have come (by time, not by metric), among rows of others.
 */
export async function loadTwoMillionRows(databaseUrl: string): Promise<Loaded> {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  const today = new Date(new Date().toISOString().slice(0, 10))
  const start = new Date(today.getTime() - DAYS * 86_400_000)
  try {
    await client.query('set session_replication_role = replica') // foreign keys are held by construction
    await client.query(`set work_mem = '256MB'`)
    await client.query(`set edgepulse.start = '${start.toISOString()}'`)
    for (const statement of STATEMENTS) await client.query(statement)
    await client.query('vacuum analyze')
    const { rows } = await client.query<Omit<Loaded, 'from' | 'to'>>(
      `select ${TENANT} as "tenantId", ${id('m', '7')} as "metricId", ${id('w', '6')} as "webhookId",
         ${id('d', '7')} as "deviceId"`,
    )
    const to = today.getTime() + 86_400_000
    return { ...rows[0]!, from: new Date(to - 92 * 86_400_000), to: new Date(to) }
  } finally {
    await client.end()
  }
}

const id = (kind: string, n: string) => `md5('${kind}' || ${n})::uuid`
const TENANT = id('t', '1')
const at = (seconds: string) =>
  `current_setting('edgepulse.start')::timestamptz + ${seconds} * interval '1 second'`

const SKETCH = sketchOf(5)

/** Windows are 300 s, 500 a metric; a score in 2,500 is anomalous, an alert in 1,000 open. */
const STATEMENTS = [
  `select ensure_datapoint_partitions(current_date - 92, current_date + 14)`,
  // An index is built faster than it grows.
  'alter table datapoints drop constraint datapoints_pkey',
  `insert into tenants (id, name) select ${id('t', 'i')}, 'tenant ' || i from generate_series(1, 5000) i`,
  `insert into devices (tenant_id, id, external_id, last_seen_at)
   select ${id('t', '(1 + i % 2)')}, ${id('d', '(i / 2)')}, 'device ' || i / 2, now() from generate_series(0, 9999) i`,
  `insert into metrics (tenant_id, id, device_id, name, last_ts)
   select ${TENANT}, ${id('m', 'i')}, ${id('d', '(i % 5000)')}, 'metric ' || i / 5000, now()
   from generate_series(0, 9999) i`,
  `insert into datapoints (tenant_id, metric_id, ts, value)
   with metric as materialized (select ${TENANT} as tenant, ${id('m', 'm')} as id from generate_series(0, 199) m)
   select tenant, id, ${at('(n * 259)')}, n from generate_series(0, 9999) n, metric order by n`,
  'alter table datapoints add primary key (tenant_id, metric_id, ts)',
  `insert into window_aggregates (tenant_id, metric_id, window_start, shard, part, count, mean, m2, min, max, median, mad,
     first_ts, last_ts, sketch)
   select ${TENANT}, ${id('m', 'm')}, ${at('(w * 300)')}, 0, w * 2 + p, 5, 1, 1, 0, 2, 1, 1, ${at('(w * 300)')},
     ${at('(w * 300)')}, '\\x${SKETCH}'
   from generate_series(0, 499) w, generate_series(0, 199) m, generate_series(0, case when w % 50 = 0 then 1 else 0 end) p
   order by w, m`,
  `insert into anomaly_scores (tenant_id, metric_id, window_start, window_end, score, onset_score, state, scored_at)
   select ${TENANT}, ${id('m', 'm')}, ${at('(w * 300)')}, ${at('(w * 300 + 300)')},
     case when (w * 200 + m) % 2500 = 7 then 1.5 else 0.1 end, 0, 'ready', now()
   from generate_series(0, 499) w, generate_series(0, 199) m order by w, m`,
  `insert into batches (tenant_id, batch_id, r2_key, status)
   select ${TENANT}, 'b' || i, 'raw/b' || i, case when i % 1000 = 0 then 'failed' else 'persisted' end
   from generate_series(1, 50000) i`,
  `insert into alert_rules (tenant_id, id, name, threshold)
   select ${id('t', '(1 + i % 2)')}, ${id('r', 'i')}, 'rule', 1 from generate_series(0, 9999) i`,
  `insert into alert_events (tenant_id, id, rule_id, metric_id, window_end, score, threshold, state, opened_at)
   select ${TENANT}, ${id('e', 'i')}, ${id('r', '0')}, ${id('m', '(i % 200)')}, ${at('(i * 50)')}, 1.5, 1,
     case when i % 1000 = 7 then 'open' else 'resolved' end, ${at('(i * 50)')}
   from generate_series(0, 19999) i`,
  `insert into webhook_endpoints (tenant_id, id, url, secret)
   select ${id('t', '(1 + i % 2)')}, ${id('w', 'i')}, 'https://hooks.example.com', '' from generate_series(0, 9999) i`,
  `insert into webhook_deliveries (tenant_id, id, webhook_id, event_key, type, body, created_at)
   select ${TENANT}, ${id('x', 'i')}, ${id('w', '(6 + i % 2)')}, i, 'alert.opened', '{}', ${at('(i * 50)')}
   from generate_series(0, 19999) i`,
  `insert into dead_letters (tenant_id, body, reason)
   select case when i % 1000 = 7 then ${TENANT} else ${id('t', '2')} end, to_jsonb(i), '' from generate_series(1, 50000) i`,
]

/** The hex of a sketch of so many values. */
function sketchOf(count: number): string {
  const sketch = new Sketch(() => 0.5)
  for (let i = 0; i < count; i++) sketch.add(i)
  return Buffer.from(sketch.toBytes()).toString('hex')
}

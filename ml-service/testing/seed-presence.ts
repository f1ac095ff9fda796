import { randomUUID } from 'node:crypto'
import type pg from 'pg'
import { deviceIdOf } from '../../telemetry/series-id.ts'

interface Said {
  /** Its last arrival, when it is silent. */
  silentSince?: number
  gap?: [from: number, until: number]
  cadenceMs?: number
}

/** Later than any real shard's in a test. */
let changes = 1_000_000

/** What a shard tells of devices, stored as the queue consumer does, with its word good until `asOf`. */
export async function sayPresence(
  pool: pg.Pool,
  tenantId: string,
  devices: Record<string, Said>,
  asOf: number,
  shard = 0,
): Promise<void> {
  for (const [name, { silentSince, gap, cadenceMs = 60_000 }] of Object.entries(devices)) {
    const id = deviceIdOf(tenantId, name)
    const at = (ms: number | undefined) => (ms === undefined ? null : new Date(ms))
    await pool.query(
      `insert into devices (tenant_id, id, external_id, last_seen_at) values ($1, $2, $3, now()) on conflict do nothing`,
      [tenantId, id, name],
    )
    changes += 1
    await pool.query(
      `insert into device_presence (tenant_id, device_id, shard, change, silent_since, cadence_ms, gap_from, gap_until,
         gap_counted_ms, gap_cadence_ms)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $6)
       on conflict (tenant_id, device_id, shard) do update set change = excluded.change,
         silent_since = excluded.silent_since, cadence_ms = excluded.cadence_ms, gap_from = excluded.gap_from,
         gap_until = excluded.gap_until, gap_counted_ms = excluded.gap_counted_ms, gap_cadence_ms = excluded.gap_cadence_ms`,
      [
        ...[tenantId, id, shard, changes, at(silentSince), cadenceMs, at(gap?.[0]), at(gap?.[1])],
        gap === undefined ? null : gap[1] - gap[0],
      ],
    )
  }
  await pool.query(
    `insert into shard_presence (tenant_id, shard, as_of, count_from) values ($1, $2, $3, 'epoch')
     on conflict (tenant_id, shard) do update set as_of = greatest(shard_presence.as_of, excluded.as_of)`,
    [tenantId, shard, new Date(asOf)],
  )
}

interface SilenceRuleFields {
  intervals?: number
  floorSeconds?: number
  deviceId?: string
  armedAt?: number
  maxAgeSeconds?: number
}

export async function addSilenceRule(
  pool: pg.Pool,
  tenantId: string,
  rule: SilenceRuleFields = {},
): Promise<string> {
  const id = randomUUID()
  await pool.query(
    `insert into alert_rules (tenant_id, id, name, kind, device_id, intervals, floor_seconds, armed_at, max_age_seconds)
     values ($1, $2, 'gone', 'silence', $3, $4, $5, $6, $7)`,
    [
      ...[tenantId, id, rule.deviceId ?? null, rule.intervals ?? 5, rule.floorSeconds ?? 60],
      ...[new Date(rule.armedAt ?? 0), rule.maxAgeSeconds ?? 86_400],
    ],
  )
  return id
}

import type { Sql } from '../../durable-objects/connect-database.ts'
import type { DeviceReport, PresenceReport } from '../../durable-objects/presence-frames.ts'
import { arrayText, TO_INSTANT } from '../../telemetry/batch-statements.ts'
import { deviceIdOf } from '../../telemetry/series-id.ts'

/** What a shard tells of devices: of two reports of one device the later change stays, whichever is stored last. */
export function upsertDevicePresence(sql: Sql, tenantId: string, shard: number, devices: DeviceReport[]) {
  const column = (of: (device: DeviceReport) => number | null | undefined) =>
    `{${devices.map((device) => of(device) ?? 'null').join(',')}}`
  return sql.query(
    `insert into device_presence (tenant_id, device_id, shard, change, silent_since, cadence_ms, gap_from, gap_until,
       gap_counted_ms, gap_cadence_ms)
     select $1, p.device_id, $2::int4, p.change, ${TO_INSTANT('p.silent_since')}, p.cadence_ms,
       ${TO_INSTANT('p.gap_from')}, ${TO_INSTANT('p.gap_until')}, p.gap_counted, p.gap_cadence
     from unnest($3::uuid[], $4::int8[], $5::int8[], $6::int8[], $7::int8[], $8::int8[], $9::int8[], $10::int8[])
       as p (device_id, change, silent_since, cadence_ms, gap_from, gap_until, gap_counted, gap_cadence)
     order by p.device_id
     on conflict (tenant_id, device_id, shard) do update
       set change = excluded.change, silent_since = excluded.silent_since, cadence_ms = excluded.cadence_ms,
         gap_from = excluded.gap_from, gap_until = excluded.gap_until, gap_counted_ms = excluded.gap_counted_ms,
         gap_cadence_ms = excluded.gap_cadence_ms
     where device_presence.change < excluded.change`,
    [
      tenantId,
      shard,
      arrayText(devices.map(({ name }) => deviceIdOf(tenantId, name))),
      column(({ change }) => change),
      column(({ quiet, lastArrivalMs }) => (quiet ? lastArrivalMs : null)),
      column(({ cadenceMs }) => cadenceMs),
      column(({ gap }) => gap?.fromMs),
      column(({ gap }) => gap?.untilMs),
      column(({ gap }) => gap?.countedMs),
      column(({ gap }) => gap?.cadenceMs),
    ],
  )
}

/** How far what a shard told of its devices goes; only a report that left nothing out moves it on. */
export function upsertShardPresence(
  sql: Sql,
  tenantId: string,
  shard: number,
  { asOfMs, countFromMs }: PresenceReport,
) {
  return sql.query(
    `insert into shard_presence (tenant_id, shard, as_of, count_from)
     values ($1, $2::int4, coalesce(${TO_INSTANT('$3::int8')}, '-infinity'), ${TO_INSTANT('$4::int8')})
     on conflict (tenant_id, shard) do update set as_of = greatest(shard_presence.as_of, excluded.as_of),
       count_from = greatest(shard_presence.count_from, excluded.count_from)`,
    [tenantId, shard, asOfMs, countFromMs],
  )
}

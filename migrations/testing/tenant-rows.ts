import { randomUUID } from 'node:crypto'
import { versionOf } from '../../telemetry/batch-rows.ts'

const WINDOW_MS = 300_000
const start = Math.floor(Date.now() / WINDOW_MS) * WINDOW_MS - 2 * WINDOW_MS
const AT = new Date(start).toISOString()
const END = new Date(start + WINDOW_MS).toISOString()

/** What a test needs to name of a tenant's rows. */
export interface TenantRows {
  tenantId: string
  deviceId: string
  metricId: string
  ruleId: string
  eventId: string
  webhookId: string
  deliveryId: string
  modelId: string
  /** Of a rule on the metric that was disabled with an alert open. */
  disabledRuleId: string
  silenceRuleId: string
  silenceEventId: string
  disabledEventId: string
}

/** For tests: a row in every table, from a lately closed window; `query` runs as the owner of the tables. */
export async function insertTenantRows(
  query: (text: string) => Promise<unknown>,
  tenantId: string = randomUUID(),
): Promise<TenantRows> {
  const rows = {
    ...{ tenantId, deviceId: randomUUID(), metricId: randomUUID(), ruleId: randomUUID() },
    ...{ eventId: randomUUID(), webhookId: randomUUID(), deliveryId: randomUUID(), modelId: randomUUID() },
    ...{ disabledRuleId: randomUUID(), disabledEventId: randomUUID() },
    ...{ silenceRuleId: randomUUID(), silenceEventId: randomUUID() },
  }
  for (const statement of STATEMENTS) {
    const text = statement.replace(/\{(\w+)\}/g, (_, name: keyof TenantRows) => `'${rows[name]}'`)
    await query(text)
  }
  return rows
}

/** For tests: all that a tenant has, whatever table it is in; `query` runs as the owner of the tables. */
export async function contentsOf(
  tenantId: string,
  query: (text: string, values: unknown[]) => Promise<Record<string, unknown>[]>,
): Promise<unknown> {
  const tables = await query(
    `select c.relname::text as name, a.attname::text as tenant from pg_class c join pg_attribute a on attrelid = c.oid
      where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition
        and attname = case relname when 'tenants' then 'id' else 'tenant_id' end order by 1`,
    [],
  )
  const contents: Record<string, unknown> = {}
  for (const { name, tenant } of tables) {
    const rows = await query(
      `select to_jsonb(t)::text as row from ${name} t where ${tenant} = $1 order by 1`,
      [tenantId],
    )
    contents[String(name)] = rows.map(({ row }) => row)
  }
  return contents
}

const OF_TENANT = '{tenantId}'
const OF_METRIC = '{tenantId}, {metricId}'

const STATEMENTS = [
  `insert into tenants (id, name) values (${OF_TENANT}, ${OF_TENANT}) on conflict do nothing`,
  `insert into api_keys (tenant_id, id, key_hash, scopes, created_at)
   values (${OF_TENANT}, gen_random_uuid(), ${OF_TENANT}, array['read'], now())`,
  `insert into devices (tenant_id, id, external_id, last_seen_at) values (${OF_TENANT}, {deviceId}, 'pump', now())`,
  `insert into metrics (tenant_id, id, device_id, name, unit, unit_version, unit_since, previous_unit)
   values (${OF_METRIC}, {deviceId}, 'temperature', 'F', 2, extract(epoch from now())::int8 * 1024000, 'C')`,
  `insert into batches (tenant_id, batch_id, r2_key, status, received_at, trace_id)
   values (${OF_TENANT}, 'b', 'raw/b', 'failed', '${AT}', gen_random_uuid())`,
  `insert into datapoints (tenant_id, metric_id, ts, value, version) values (${OF_METRIC}, '${AT}', 5, ${versionOf(start, 'b')})`,
  `insert into window_aggregates (tenant_id, metric_id, window_start, shard, part, count, mean, m2, min, max, median, mad,
     first_ts, last_ts, sketch)
   values (${OF_METRIC}, '${AT}', 0, 1, 1, 5, 0, 5, 5, 5, 0, '${AT}', '${AT}', '')`,
  `insert into usage_daily (tenant_id, day, batches) values (${OF_TENANT}, current_date, 1)`,
  `insert into dead_letters (tenant_id, body, reason) values (${OF_TENANT}, jsonb_build_object('of', ${OF_TENANT}), 'no')`,
  `insert into due_metrics (tenant_id, metric_id) values (${OF_METRIC})`,
  `insert into corrected_windows (tenant_id, metric_id, window_start) values (${OF_METRIC}, '${AT}')`,
  `insert into models (tenant_id, metric_id, id, path, sha256, trained_until)
   values (${OF_METRIC}, {modelId}, 'm.json', '', '${AT}')`,
  `insert into anomaly_scores (tenant_id, metric_id, window_start, window_end, score, onset_score, state, scored_at)
   values (${OF_METRIC}, '${AT}', '${END}', 1.5, 1.5, 'ready', now())`,
  `insert into alert_rules (tenant_id, id, name, threshold) values (${OF_TENANT}, {ruleId}, 'hot', 1)`,
  `insert into alert_events (tenant_id, id, rule_id, metric_id, window_end, score, threshold, state, opened_at)
   values (${OF_TENANT}, {eventId}, {ruleId}, {metricId}, '${END}', 1.5, 1, 'open', '${END}')`,
  `insert into alert_cursors (tenant_id, rule_id, metric_id, last_window_end)
   values (${OF_TENANT}, {ruleId}, {metricId}, '${AT}')`,
  `insert into device_presence (tenant_id, device_id, shard, change, silent_since, cadence_ms)
   values (${OF_TENANT}, {deviceId}, 0, 1, '${AT}', 1000)`,
  `insert into shard_presence (tenant_id, shard, as_of, count_from) values (${OF_TENANT}, 0, now(), 'epoch')`,
  `insert into alert_rules (tenant_id, id, name, kind, intervals, floor_seconds, armed_at)
   values (${OF_TENANT}, {silenceRuleId}, 'silent', 'silence', 3, 60, '${AT}')`,
  `insert into alert_events (tenant_id, id, rule_id, kind, state, opened_at, device_count, sequence)
   values (${OF_TENANT}, {silenceEventId}, {silenceRuleId}, 'silence', 'open', '${END}', 1, 1)`,
  `insert into alert_event_devices (tenant_id, event_id, device_id, last_seen_at, silent_at, cadence_ms)
   values (${OF_TENANT}, {silenceEventId}, {deviceId}, 'epoch', '${END}', 1000)`,
  `insert into silence_cursors (tenant_id, rule_id, device_id, last_seen_at, open_event_id)
   values (${OF_TENANT}, {silenceRuleId}, {deviceId}, 'epoch', {silenceEventId})`,
  `insert into alert_rules (tenant_id, id, name, threshold, enabled) values (${OF_TENANT}, {disabledRuleId}, 'off', 1, false)`,
  `insert into alert_events (tenant_id, id, rule_id, metric_id, window_end, score, threshold, state, opened_at)
   values (${OF_TENANT}, {disabledEventId}, {disabledRuleId}, {metricId}, '${END}', 1.5, 1, 'open', '${END}')`,
  `insert into alert_cursors (tenant_id, rule_id, metric_id, last_window_end, open_event_id)
   values (${OF_TENANT}, {disabledRuleId}, {metricId}, '${END}', {disabledEventId})`,
  `insert into webhook_endpoints (tenant_id, id, url, secret, failing_since)
   values (${OF_TENANT}, {webhookId}, 'https://hooks.example.com/', 'sealed', now())`,
  `insert into webhook_deliveries (tenant_id, id, webhook_id, event_key, type, body, next_attempt_at)
   values (${OF_TENANT}, {deliveryId}, {webhookId}, 'k', 'webhook.test', '{}', now())`,
  `insert into replayed_manifests (tenant_id, scope, manifest) values (${OF_TENANT}, 's', 'm')`,
]

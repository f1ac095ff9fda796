import { and, asc, count, eq, gt, inArray, lt, type SQL, sql } from 'drizzle-orm'
import { Hono } from 'hono'
import * as v from 'valibot'
import { devices, metrics } from '../../migrations/schema.ts'
import type { AppEnv } from '../app-env.ts'
import { db, query } from '../database.ts'
import { component, Id, Instant, pageOf, told } from '../openapi/fields.ts'
import { operation } from '../openapi/operation.ts'
import { requireScope } from '../tenant-auth.ts'
import {
  contains,
  cursorOf,
  emptyPage,
  idFilter,
  idsFilter,
  instant,
  Limit,
  page,
  search,
  TextCursor,
} from './parameters.ts'

const Device = component(
  'Device',
  v.object({
    id: Id,
    external_id: told(v.string(), 'The name that gateways send as `device`.'),
    created_at: told(Instant, 'When its first datapoint was stored.'),
    last_seen_at: told(Instant, 'When its newest data arrived.'),
    metric_count: v.pipe(v.number(), v.integer()),
    cadence_seconds: told(
      v.nullable(v.number()),
      'How often it usually sends, learned from when its data arrive; null: not known yet.',
    ),
    silent_since: told(
      v.nullable(Instant),
      'Its last arrival, once nothing has come for more than twice its cadence and a minute; null: it sends.',
    ),
  }),
  'A device that has sent data.',
  {
    id: '0f3c1f5e-5d0c-5c1a-9c55-6c3b8a2f9d10',
    external_id: 'pump-7',
    created_at: '2026-01-01T00:00:04.512Z',
    last_seen_at: '2026-01-08T12:30:00.000Z',
    metric_count: 2,
    cadence_seconds: 60,
    silent_since: null,
  },
)

const listDevices = operation(
  {
    operationId: 'listDevices',
    tag: 'Telemetry',
    summary: 'List devices',
    description: 'Every device that has sent data, by name.',
    query: v.object({
      id: idsFilter('Only the devices with these ids.'),
      search: search('Only devices with this in their name.'),
      last_seen_before: instant('Only devices that have been silent since then.'),
      silent: v.optional(
        v.pipe(
          v.picklist(['true'], 'must be true or left out'),
          v.metadata({
            description:
              'Only devices that are silent: for five times their cadence, and five minutes at least; where none is known, for an hour.',
          }),
        ),
      ),
      alert_id: idFilter('Only devices that this alert is about.'),
      limit: Limit,
      cursor: cursorOf(TextCursor),
    }),
    answer: pageOf('DevicePage', Device),
    returns: 'A page of devices.',
  },
  async (
    c,
    {
      query: {
        id: ids,
        search,
        last_seen_before: silentSince,
        silent,
        alert_id: alertId,
        limit,
        cursor: after,
      },
    },
  ) => {
    if (alertId === null) return emptyPage()
    const tenantId = c.get('tenantId')
    const metricCount = db
      .select({ n: count() })
      .from(metrics)
      .where(and(eq(metrics.tenantId, tenantId), eq(metrics.deviceId, devices.id)))
    const rows = await query(
      c,
      db
        .select({
          id: devices.id,
          external_id: devices.externalId,
          created_at: devices.createdAt,
          last_seen_at: devices.lastSeenAt,
          metric_count: sql<number>`(${metricCount})`.mapWith(Number),
          cadence_ms: sql<number | null>`said.cadence_ms::float8`,
          silent_ms: sql<number | null>`extract(epoch from said.silent_since)::float8 * 1000`,
        })
        .from(devices)
        .leftJoin(SAID, sql`true`)
        .where(
          and(
            eq(devices.tenantId, tenantId),
            ids === undefined ? undefined : inArray(devices.id, ids),
            search === undefined ? undefined : contains(devices.externalId, search),
            silentSince === undefined ? undefined : lt(devices.lastSeenAt, new Date(silentSince)),
            silent === undefined ? undefined : IS_SILENT,
            alertId === undefined ? undefined : namedBy(alertId),
            after === undefined ? undefined : gt(devices.externalId, after),
          ),
        )
        .orderBy(asc(devices.externalId))
        .limit(limit + 1),
    )
    return page(
      rows,
      limit,
      ({ cadence_ms, silent_ms, ...row }) => ({
        ...row,
        cadence_seconds: cadence_ms === null ? null : cadence_ms / 1000,
        silent_since: silent_ms === null ? null : new Date(silent_ms),
      }),
      (row) => row.external_id,
    )
  },
)

/** What the shards last said of a device: it is silent when it is in all of them. */
const SAID = sql`lateral (
  select case when bool_and(p.silent_since is not null) then max(p.silent_since) end as silent_since,
    min(p.cadence_ms) as cadence_ms, max(s.as_of) as as_of
  from device_presence p join shard_presence s on s.tenant_id = p.tenant_id and s.shard = p.shard
  where p.tenant_id = devices.tenant_id and p.device_id = devices.id) as said`

const IS_SILENT = sql`case when said.cadence_ms is null then devices.last_seen_at < now() - interval '1 hour'
  else said.as_of - said.silent_since >= greatest(5 * said.cadence_ms, 300000) * interval '1 millisecond' end`

const namedBy = (alertId: string): SQL => sql`exists (select from alert_event_devices n
  where n.tenant_id = devices.tenant_id and n.device_id = devices.id and n.event_id = ${alertId})`

/** `GET /v1/devices`. */
export const devicesRoute = new Hono<AppEnv>().get('/', requireScope('read'), listDevices)

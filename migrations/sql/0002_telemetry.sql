-- Purpose: what gateways sent. Writer: the queue consumer (worker/consumer). Reader: query API, ML service.
-- Every key starts with tenant_id, and every metadata reference carries it, so that no row of one tenant
-- can point at another's.

create table devices (
  tenant_id    uuid not null references tenants (id) on delete cascade,
  id           uuid not null, -- derived from (tenant, device name): telemetry/series-id.ts
  external_id  text not null,
  created_at   timestamptz not null default now(),
  last_seen_at timestamptz not null,
  primary key (tenant_id, id),
  unique (tenant_id, external_id)
);

create table metrics (
  tenant_id    uuid not null,
  id           uuid not null, -- derived from (tenant, device name, metric name)
  device_id    uuid not null,
  name         text not null,
  unit         text,
  unit_version bigint not null default 0, -- of the batch that gave the unit; the one received last wins
  created_at   timestamptz not null default now(),
  last_ts      timestamptz,
  primary key (tenant_id, id),
  unique (tenant_id, device_id, name),
  foreign key (tenant_id, device_id) references devices (tenant_id, id) on delete cascade
);

create table batches (
  tenant_id    uuid not null references tenants (id) on delete cascade,
  batch_id     text not null,
  r2_key       text not null,
  status       text not null check (status in ('persisted', 'failed')),
  datapoints   integer,
  rejected     integer,
  received_at  timestamptz,
  persisted_at timestamptz,
  error        text,
  primary key (tenant_id, batch_id)
);

-- No foreign key: it would cost half the write rate. `version` orders corrections: the datapoint of the
-- batch received later wins, in whatever order transactions commit.
create table datapoints (
  tenant_id uuid not null,
  metric_id uuid not null,
  ts        timestamptz not null,
  value     double precision not null,
  version   bigint not null default 0,
  primary key (tenant_id, metric_id, ts)
) partition by range (ts);

create table datapoints_default partition of datapoints default;

-- Makes the daily partitions from_day..to_day (both inclusive, UTC) that do not exist yet and returns how
-- many it made. Rows of such a day that already sit in the default partition are moved first, because
-- Postgres refuses a new partition whose rows the default one holds; its writers wait meanwhile, because rows
-- that are not committed yet could not be moved. A long transaction in the way makes this fail instead of
-- holding up all others behind it.
create function ensure_datapoint_partitions(from_day date, to_day date) returns integer
language plpgsql set lock_timeout = '5s' as $$
declare
  d date;
  part text;
  made integer := 0;
begin
  perform pg_advisory_xact_lock(hashtext('datapoint_partitions'));
  for d in select generate_series(from_day, to_day, interval '1 day')::date loop
    part := 'datapoints_' || to_char(d, 'YYYYMMDD');
    continue when to_regclass(part) is not null;
    lock table datapoints_default in access exclusive mode;
    execute format('create table %I (like datapoints including defaults including constraints including indexes)', part);
    execute format(
      'with moved as (delete from datapoints_default where ts >= %L and ts < %L returning *) insert into %I select * from moved',
      d::timestamp at time zone 'UTC', (d + 1)::timestamp at time zone 'UTC', part);
    execute format('alter table datapoints attach partition %I for values from (%L) to (%L)',
      part, d::timestamp at time zone 'UTC', (d + 1)::timestamp at time zone 'UTC');
    made := made + 1;
  end loop;
  return made;
end $$;

-- Append-only: a row is one shard's part of a window, written once. `part` is unique per shard and window.
create table window_aggregates (
  tenant_id    uuid not null,
  metric_id    uuid not null,
  window_start timestamptz not null,
  shard        smallint not null,
  part         bigint not null,
  count        integer not null check (count > 0),
  mean         double precision not null,
  m2           double precision not null, -- sum of squared deviations from the mean
  min          double precision not null,
  max          double precision not null,
  median       double precision not null,
  mad          double precision not null, -- raw, not scaled to sigma
  first_ts     timestamptz not null,
  last_ts      timestamptz not null,
  sketch       bytea not null,
  created_at   timestamptz not null default now(),
  primary key (tenant_id, metric_id, window_start, shard, part),
  foreign key (tenant_id, metric_id) references metrics (tenant_id, id) on delete cascade
);

-- Counters of one shard for one UTC day of arrival: absolute values that only grow, so writing them twice
-- or out of order is harmless. windows_scored is counted by the ML service on shard 0.
create table usage_daily (
  tenant_id      uuid not null references tenants (id) on delete cascade,
  day            date not null,
  shard          smallint not null default 0,
  datapoints     bigint not null default 0,
  batches        bigint not null default 0,
  bytes          bigint not null default 0,
  duplicates     bigint not null default 0,
  rejected       bigint not null default 0,
  windows_scored bigint not null default 0,
  primary key (tenant_id, day, shard)
);

-- Messages that failed for good, each kept once, with the reason.
create table dead_letters (
  id         bigint generated always as identity primary key,
  tenant_id  uuid,
  body       jsonb not null,
  reason     text not null,
  created_at timestamptz not null default now()
);
create unique index dead_letters_body on dead_letters (md5(body::text));

-- Purpose: devices that fall silent. Shards report who sends and how often (the queue consumer writes what they flushed);
-- rules of kind `silence` (the Worker) say for how long is too long; `ml-service/silence` judges, and one event names all
-- devices that fell silent together. Also: every secret of a webhook that was replaced less than a day ago signs along,
-- and an alert says why it is over where that is not the metric.

-- What a shard last said of a device. A tenant's device may send through several shards.
create table device_presence (
  tenant_id      uuid not null,
  device_id      uuid not null,
  shard          smallint not null,
  change         bigint not null, -- orders what the shard says: the highest stays
  silent_since   timestamptz,     -- its last arrival, once nothing has come for longer than usual; null: it sends
  cadence_ms     bigint,          -- the usual time between arrivals; null: not known yet
  gap_from       timestamptz,     -- the last time it was silent for longer than usual, which is over
  gap_until      timestamptz,
  gap_counted_ms bigint,          -- how much of that counts: not what EdgePulse itself was away
  gap_cadence_ms bigint,          -- what was usual then
  met_at         timestamptz not null default now(), -- when the shard first told of it
  primary key (tenant_id, device_id, shard),
  foreign key (tenant_id, device_id) references devices (tenant_id, id) on delete cascade
) with (fillfactor = 70);
create index device_presence_silent on device_presence (tenant_id, device_id) where silent_since is not null;
create index device_presence_changed on device_presence (tenant_id, shard, change);

-- How far the word of a shard goes: everything it accepted until as_of is told. Silence before count_from does not count.
create table shard_presence (
  tenant_id  uuid not null references tenants (id) on delete cascade,
  shard      smallint not null,
  as_of      timestamptz not null,
  count_from timestamptz not null,
  judged     bigint not null default 0, -- changes up to this one have been looked at by the rules
  primary key (tenant_id, shard)
);

alter table alert_rules
  add column kind          text not null default 'anomaly' check (kind in ('anomaly', 'silence')),
  add column device_id     uuid, -- of a silence rule; null: every device
  add column intervals     double precision check (intervals >= 2), -- how many times its usual cadence is too long
  add column floor_seconds integer check (floor_seconds >= 60),     -- and never less than this
  add column armed_at      timestamptz not null default now(), -- created or last enabled: what was silent before is old news
  alter column threshold drop not null,
  add foreign key (tenant_id, device_id) references devices (tenant_id, id) on delete cascade,
  add check (case kind when 'anomaly' then threshold is not null and device_id is null and intervals is null and floor_seconds is null
    else metric_id is null and threshold is null and intervals is not null and floor_seconds is not null end);

alter table alert_events
  add column kind            text not null default 'anomaly' check (kind in ('anomaly', 'silence')),
  add column resolved_reason text check (resolved_reason = 'rule_disabled'), -- null: it went by itself
  add column device_count    integer, -- of a silence: how many devices it names
  add column sequence        integer, -- and how many messages were made of it
  alter column metric_id drop not null,
  alter column window_end drop not null,
  alter column score drop not null,
  alter column threshold drop not null,
  add check (case kind when 'anomaly' then num_nulls(metric_id, window_end, score, threshold) = 0
    else num_nulls(device_count, sequence) = 0 end);

-- The devices that an event names.
create table alert_event_devices (
  tenant_id    uuid not null,
  event_id     uuid not null,
  device_id    uuid not null,
  last_seen_at timestamptz not null, -- the arrival that its silence began with
  silent_at    timestamptz not null, -- when it had been silent for too long
  cadence_ms   bigint not null,
  recovered_at timestamptz,
  primary key (tenant_id, event_id, device_id),
  foreign key (tenant_id, event_id) references alert_events (tenant_id, id) on delete cascade,
  foreign key (tenant_id, device_id) references devices (tenant_id, id) on delete cascade
);
create index alert_event_devices_of_device on alert_event_devices (tenant_id, device_id);

-- The last silence of a device that a rule has told of. Moves forward only, and is written while the rule is locked, so
-- each silence is told once whatever runs twice.
create table silence_cursors (
  tenant_id     uuid not null,
  rule_id       uuid not null,
  device_id     uuid not null,
  last_seen_at  timestamptz not null,
  open_event_id uuid, -- while it is silent
  primary key (tenant_id, rule_id, device_id),
  foreign key (tenant_id, rule_id) references alert_rules (tenant_id, id) on delete cascade,
  foreign key (tenant_id, device_id) references devices (tenant_id, id) on delete cascade
);
create index silence_cursors_open on silence_cursors (tenant_id, rule_id) where open_event_id is not null;

do $$
declare
  name text;
begin
  foreach name in array array['device_presence', 'shard_presence', 'alert_event_devices', 'silence_cursors'] loop
    execute format('alter table %I enable row level security', name);
    execute format('create policy one_tenant on %I to edgepulse_edge, edgepulse_ml using (tenant_id = (select current_tenant()))', name);
  end loop;
end $$;
grant select, insert, update on device_presence, shard_presence to edgepulse_edge;
grant select on alert_event_devices to edgepulse_edge;
grant select on device_presence, shard_presence to edgepulse_ml;
grant select, insert, update on alert_event_devices, silence_cursors to edgepulse_ml;
grant update (judged) on shard_presence to edgepulse_ml;
grant update (armed_at) on alert_rules to edgepulse_ml; -- never made: without the right to it a row cannot be locked
-- Which tenants have rules to be judged, and nothing else of them.
create policy across_tenants on alert_rules to edgepulse_operator using (true);
grant select (tenant_id, kind, enabled) on alert_rules to edgepulse_operator;

-- Secrets that were replaced, newest first: {"secret": sealed, "expires_at": instant}. In place of the one before.
alter table webhook_endpoints add column previous_secrets jsonb not null default '[]';
update webhook_endpoints
  set previous_secrets = jsonb_build_array(jsonb_build_object('secret', previous_secret, 'expires_at', previous_secret_expires))
  where previous_secret is not null and previous_secret_expires is not null;
alter table webhook_endpoints drop column previous_secret, drop column previous_secret_expires;
grant update (previous_secrets) on webhook_endpoints to edgepulse_ml;

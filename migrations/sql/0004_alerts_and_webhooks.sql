-- Purpose: rules, the events they raised, and their delivery. Writer: the Worker (rules, endpoints), the ML
-- service (events, deliveries). Reader: both.

create table alert_rules (
  tenant_id        uuid not null references tenants (id) on delete cascade,
  id               uuid not null,
  name             text not null,
  metric_id        uuid, -- null: every metric of the tenant
  threshold        double precision not null,
  for_windows      integer not null default 1 check (for_windows between 1 and 1000),
  cooldown_seconds integer not null default 0 check (cooldown_seconds >= 0),
  enabled          boolean not null default true,
  created_at       timestamptz not null default now(),
  primary key (tenant_id, id),
  foreign key (tenant_id, metric_id) references metrics (tenant_id, id) on delete cascade
);

create table alert_events (
  tenant_id          uuid not null references tenants (id) on delete cascade,
  id                 uuid not null,
  rule_id            uuid not null,
  metric_id          uuid not null,
  window_end         timestamptz not null,
  score              double precision not null,
  threshold          double precision not null,
  reasons            jsonb not null default '[]',
  state              text not null check (state in ('open', 'resolved')),
  opened_at          timestamptz not null,
  resolved_at        timestamptz,
  data_missing_since timestamptz,
  primary key (tenant_id, id),
  unique (tenant_id, rule_id, metric_id, window_end),
  foreign key (tenant_id, rule_id) references alert_rules (tenant_id, id) on delete cascade,
  foreign key (tenant_id, metric_id) references metrics (tenant_id, id) on delete cascade
);
create index alert_events_by_time on alert_events (tenant_id, opened_at, id);

-- How far a rule has been evaluated on a metric. Locked while evaluating and moves forward only, so each
-- window is judged once whatever runs twice.
create table alert_cursors (
  tenant_id       uuid not null,
  rule_id         uuid not null,
  metric_id       uuid not null,
  last_window_end timestamptz not null,
  above_windows   integer not null default 0, -- windows in a row at or above the threshold
  open_event_id   uuid,
  closed_at       timestamptz, -- window_end of the last resolution, for the cooldown
  sequence        integer not null default 0,
  primary key (tenant_id, rule_id, metric_id),
  foreign key (tenant_id, rule_id) references alert_rules (tenant_id, id) on delete cascade,
  foreign key (tenant_id, metric_id) references metrics (tenant_id, id) on delete cascade
);

-- Secrets are AES-GCM ciphertexts (telemetry/secret-box.ts), never clear text.
create table webhook_endpoints (
  tenant_id               uuid not null references tenants (id) on delete cascade,
  id                      uuid not null,
  url                     text not null,
  enabled                 boolean not null default true,
  secret                  text not null,
  previous_secret         text,
  previous_secret_expires timestamptz,
  created_at              timestamptz not null default now(),
  primary key (tenant_id, id)
);

create table webhook_deliveries (
  tenant_id       uuid not null,
  id              uuid not null, -- sent as webhook-id on every attempt
  webhook_id      uuid not null,
  event_key       text not null, -- what it announces; one delivery per endpoint and event
  type            text not null,
  body            text not null, -- exactly the bytes that are signed and sent
  state           text not null default 'pending' check (state in ('pending', 'delivered', 'failed')),
  attempts        jsonb not null default '[]',
  attempt_count   integer not null default 0,
  next_attempt_at timestamptz,
  created_at      timestamptz not null default now(),
  primary key (tenant_id, id),
  unique (tenant_id, webhook_id, event_key),
  foreign key (tenant_id, webhook_id) references webhook_endpoints (tenant_id, id) on delete cascade
);
create index webhook_deliveries_due on webhook_deliveries (next_attempt_at) where state = 'pending';
create index webhook_deliveries_by_endpoint on webhook_deliveries (tenant_id, webhook_id, created_at, id);

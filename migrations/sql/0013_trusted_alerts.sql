-- Purpose: rules say which way and how far a metric must have gone and when an alert is over; alerts are acknowledged;
-- deliveries are claimed without hiding when they are due, keep the order of their alert, and an endpoint that fails for
-- days is found out. Writer: the Worker (rules, acknowledgements), the ML service (the rest). Reader: both.

alter table alert_rules
  add column resolve_windows        integer not null default 1 check (resolve_windows between 1 and 1000),
  add column direction              text not null default 'both' check (direction in ('above', 'below', 'both')),
  add column min_deviation          double precision not null default 0 check (min_deviation >= 0), -- in the metric's unit
  add column min_deviation_relative double precision not null default 0 check (min_deviation_relative >= 0), -- of what was expected
  add column max_age_seconds        integer not null default 86400 check (max_age_seconds >= 0);

alter table alert_cursors
  add column below_windows integer not null default 0; -- windows in a row that did not count, while an alert is open

alter table alert_events
  add column announced            boolean not null default true, -- whether receivers were to hear of it: old news is only stored
  add column acknowledged_at      timestamptz,
  add column acknowledgement_note text;

alter table webhook_endpoints
  add column failing_since   timestamptz, -- first failed attempt since the last one that succeeded
  add column disabled_at     timestamptz,
  add column disabled_reason text check (disabled_reason in ('gone', 'failing')); -- null: not by us

alter table webhook_deliveries
  add column alert_id      uuid,    -- messages of one alert are sent in the order of `sequence`
  add column sequence      integer,
  add column claimed_until timestamptz; -- while it lasts an attempt is under way

create index webhook_deliveries_of_endpoint on webhook_deliveries (tenant_id, webhook_id, next_attempt_at, id)
  where state = 'pending';
create index webhook_deliveries_claimed on webhook_deliveries (tenant_id, webhook_id)
  where state = 'pending' and claimed_until is not null;
create index webhook_deliveries_of_alert on webhook_deliveries (tenant_id, webhook_id, alert_id, sequence)
  where state = 'pending' and alert_id is not null;
create index webhook_deliveries_not_delivered on webhook_deliveries (tenant_id, webhook_id, state, created_at, id)
  where state <> 'delivered';

-- By column where a row holds more than who works on it needs: see docs/isolation.md.
grant update (acknowledged_at, acknowledgement_note) on alert_events to edgepulse_edge;
grant update (failing_since, disabled_at, disabled_reason, secret, previous_secret) on webhook_endpoints to edgepulse_ml;
grant select (alert_id, sequence, claimed_until), update (claimed_until) on webhook_deliveries to edgepulse_operator;
revoke update (next_attempt_at) on webhook_deliveries from edgepulse_operator; -- it claims by claimed_until now

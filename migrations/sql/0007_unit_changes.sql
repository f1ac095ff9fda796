-- Purpose: when the unit of a metric changed, and from what. Writer: the queue consumer. Reader: GET /v1/metrics,
-- the warnings of GET /v1/status. Of all batches that named a unit a metric keeps three: the one received last
-- (unit, unit_version), the last one that named another unit (previous_unit, previous_unit_version), both whatever
-- order batches are stored in, and the first one known after that (unit_since).

alter table metrics
  add column unit_since bigint not null default 0,
  add column previous_unit text,
  add column previous_unit_version bigint not null default 0;

-- A version is 1024 times the batch's time of arrival in epoch ms, and ten bits more.
alter table metrics add column unit_changed_at timestamptz generated always as (
  case when previous_unit is not null then to_timestamp((unit_since / 1024) / 1000.0) end
) stored;

create index metrics_unit_changed on metrics (tenant_id, unit_changed_at) where unit_changed_at is not null;

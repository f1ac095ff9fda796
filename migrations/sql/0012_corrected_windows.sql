-- Purpose: windows that a later batch corrected, until their statistics are computed again from `datapoints`. Writer: the
-- queue consumer, in the transaction that stores the correction, with the due row of the metric. Reader: `ml score`, which
-- writes the superseding row and deletes the mark.

create table corrected_windows (
  tenant_id    uuid not null,
  metric_id    uuid not null,
  window_start timestamptz not null,
  revision     bigint not null default 1, -- grows with each correction: one that came meanwhile keeps its mark
  primary key (tenant_id, metric_id, window_start),
  foreign key (tenant_id, metric_id) references metrics (tenant_id, id) on delete cascade
);

alter table corrected_windows enable row level security;
create policy one_tenant on corrected_windows to edgepulse_edge, edgepulse_ml
  using (tenant_id = (select current_tenant()));
grant select, insert, update on corrected_windows to edgepulse_edge;
grant select, insert, update, delete on corrected_windows to edgepulse_ml; -- a replay marks as the consumer does

-- Every batch moves last_ts and last_seen_at. With room on the page of a row its new version needs no index entry.
alter table metrics set (fillfactor = 50);
alter table devices set (fillfactor = 50);

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

-- Every batch moves last_ts and last_seen_at. With room on the page of a row its new version needs no index entry.
alter table metrics set (fillfactor = 50);
alter table devices set (fillfactor = 50);

-- Purpose: windows whose statistics come from `datapoints`, because their parts do not tell them: parts that were
-- lost, or that counted a datapoint which a later batch corrected. Writer: `ml replay`. Reader: all who read windows.

-- A row with `superseded` stands for its whole window, on shard -1 so that it comes first among its rows. It holds as
-- long as the parts beside it count `superseded` datapoints together; once they count others, a part has come since,
-- and readers compute the window from `datapoints`. It has no sketch: it is never merged. `revision` counts its
-- changes, for those who remember what they read.
alter table window_aggregates
  add column superseded integer,
  add column revision integer,
  add constraint superseding_shard check ((shard = -1) = (superseded is not null and revision is not null)) not valid;

-- Manifests that a replay which has not ended has stored; `scope` is the range it was asked for.
create table replayed_manifests (
  tenant_id uuid not null references tenants (id) on delete cascade,
  scope     text not null,
  manifest  text not null,
  primary key (tenant_id, scope, manifest)
);

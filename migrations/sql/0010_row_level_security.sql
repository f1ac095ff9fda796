-- Purpose: a statement that forgets whose rows it wants gets none. The Worker and the ML service see and write the rows
-- of the one tenant that their transaction names. Writer and reader: worker/database.ts, ml-service/database.ts; who may
-- look across tenants, and at what, is in docs/isolation.md.

set local lock_timeout = '5s';

-- Roles belong to the server, and another database there may have made them. None can log in before an operator says
-- with which password. Who creates them may become them: whatever a service logs in as, it works as its role.
do $$
declare
  service text;
begin
  foreach service in array array['edgepulse_operator', 'edgepulse_edge', 'edgepulse_ml'] loop
    continue when exists (select from pg_roles where rolname = service);
    execute format('create role %I noinherit', service);
    execute format('grant %I to current_user', service);
    if service <> 'edgepulse_operator' then
      execute format('grant edgepulse_operator to %I', service); -- not inherited: a transaction must ask for it
    end if;
  end loop;
end $$;

grant usage on schema public to edgepulse_operator, edgepulse_edge, edgepulse_ml;

create function current_tenant() returns uuid stable parallel safe
  return nullif(current_setting('edgepulse.tenant_id', true), '')::uuid;

-- Asked for in a sub-select, the tenant is looked up once a statement and not once a row. Partitions need nothing: nobody
-- may reach them but through their table.
do $$
declare
  of record;
begin
  for of in
    select c.oid::regclass as relation, a.attname as tenant from pg_class c join pg_attribute a on a.attrelid = c.oid
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
      and a.attname = case c.relname when 'tenants' then 'id' else 'tenant_id' end
  loop
    execute format('alter table %s enable row level security', of.relation);
    execute format('create policy one_tenant on %s to edgepulse_edge, edgepulse_ml using (%I = (select current_tenant()))',
      of.relation, of.tenant);
  end loop;
end $$;

-- The Worker: keys and rules, what the queues bring, what it answers, and all that goes with a tenant that is deleted.
grant select, insert, update, delete on tenants, api_keys, devices, metrics, batches, datapoints, dead_letters,
  alert_rules, webhook_endpoints, webhook_deliveries to edgepulse_edge;
grant select, insert, delete on window_aggregates to edgepulse_edge;
grant select, insert, update on usage_daily, due_metrics to edgepulse_edge;
grant select, delete on anomaly_scores, alert_events to edgepulse_edge;

-- The ML service: what it derives, what retention deletes, and what a replay writes again. It never sees a key.
grant select, insert, update, delete on batches, datapoints, window_aggregates, usage_daily, due_metrics, models,
  anomaly_scores, alert_events, alert_cursors, webhook_deliveries, replayed_manifests to edgepulse_ml;
grant select, insert, update on devices, metrics to edgepulse_ml;
grant select, insert on tenants to edgepulse_ml;
grant select on alert_rules to edgepulse_ml;
grant select, update (enabled) on webhook_endpoints to edgepulse_ml;

-- Across tenants: who they are, what failed, and which metrics and deliveries are due, by their ids alone. An update of
-- due_since is never made: without the right to it a row cannot be locked.
create policy across_tenants on tenants to edgepulse_operator using (true);
create policy across_tenants on dead_letters to edgepulse_operator using (true);
create policy across_tenants on due_metrics to edgepulse_operator using (true);
create policy across_tenants on webhook_deliveries to edgepulse_operator using (true);
create policy across_tenants on webhook_endpoints to edgepulse_operator using (true);
grant select on tenants to edgepulse_operator;
grant select, insert, update (reason) on dead_letters to edgepulse_operator;
grant select, update (due_since) on due_metrics to edgepulse_operator;
grant select (tenant_id, id, webhook_id, state, next_attempt_at), update (next_attempt_at) on webhook_deliveries
  to edgepulse_operator;
grant select (tenant_id, id, enabled) on webhook_endpoints to edgepulse_operator;

-- Days of datapoints come and go with the owner's rights; which days, these functions say and not their callers.
alter function ensure_datapoint_partitions(date, date) security definer set search_path = public, pg_temp;
revoke execute on function ensure_datapoint_partitions(date, date) from public;
grant execute on function ensure_datapoint_partitions(date, date) to edgepulse_operator;

-- Gives up after 5 s rather than holding up the writers behind its lock.
create function drop_datapoint_partition(day date) returns void
language plpgsql security definer set search_path = public, pg_temp set lock_timeout = '5s' as $$
begin
  if day + (select coalesce(max(retention_days), 0) from tenants) >= current_date then
    raise exception 'datapoints of % may still be kept by a tenant', day;
  end if;
  execute format('drop table %I', 'datapoints_' || to_char(day, 'YYYYMMDD'));
end $$;
revoke execute on function drop_datapoint_partition(date) from public;
grant execute on function drop_datapoint_partition(date) to edgepulse_operator;

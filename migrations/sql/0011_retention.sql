-- Purpose: days of datapoints come and go without holding up ingestion. Caller: the retention command
-- (ml-service/retention), and whoever makes partitions. Days are UTC. The functions work on partitions with their
-- owner's rights: which rows and days may go is decided here, under the lock, and not by what a caller read before.

create index batches_by_time on batches (tenant_id, received_at);

-- The default partition for null.
create function datapoint_partition(day date) returns name immutable
  return coalesce('datapoints_' || to_char(day, 'YYYYMMDD'), 'datapoints_default');

create function day_start(day date) returns timestamptz immutable
  return day::timestamp at time zone 'UTC';

-- How many rows the default partition holds; counts to at_most.
create function default_partition_rows(at_most integer) returns integer
language sql stable security definer set search_path = public, pg_temp as $$
  select count(*)::integer from (select from datapoints_default limit at_most) as few
$$;

-- Makes the daily partitions from_day..to_day (both inclusive) that do not exist yet and returns how many it made. Rows
-- of such a day that sit in the default partition are moved first, because Postgres refuses a new partition whose rows
-- the default one holds; its writers wait meanwhile, because rows that are not committed yet could not be moved. More
-- rows than a short lock can move are left to begin_default_move, and nothing is made: they can be read and written
-- where they are. A long transaction in the way makes this fail instead of holding up all others behind it.
create or replace function ensure_datapoint_partitions(from_day date, to_day date) returns integer
language plpgsql security definer set search_path = public, pg_temp set lock_timeout = '5s' as $$
declare
  d date;
  part text;
  made integer := 0;
begin
  perform pg_advisory_xact_lock(hashtext('datapoint_partitions'));
  lock table datapoints in access share mode; -- from here on names are looked up anew, not as remembered
  for d in select generate_series(from_day, to_day, interval '1 day')::date loop
    part := datapoint_partition(d);
    continue when to_regclass(part) is not null;
    if made = 0 then
      lock table datapoints_default in access exclusive mode;
      if default_partition_rows(50001) > 50000 then
        return 0;
      end if;
    end if;
    begin
      execute format('create table %I (like datapoints including defaults including constraints including indexes)', part);
      execute format(
        'with moved as (delete from datapoints_default where ts >= %L and ts < %L returning *) insert into %I select * from moved',
        day_start(d), day_start(d + 1), part);
      execute format('alter table datapoints attach partition %I for values from (%L) to (%L)',
        part, day_start(d), day_start(d + 1));
      made := made + 1;
    exception when duplicate_table then
      null; -- somebody has made it, and this session had not heard
    end;
  end loop;
  return made;
end $$;

-- Whether no tenant keeps datapoints of a day any more at a time.
create function is_day_over(day date, at timestamptz) returns boolean stable
  return day_start(day + 1)
    <= least(at, now()) - (select coalesce(max(retention_days), 0) from tenants where state <> 'deleting') * interval '24 hours';

-- Takes all rows of a day that no tenant keeps at `at`, and leaves its partition for what may still be under way.
-- Returns whether there were any.
create function empty_datapoint_day(day date, at timestamptz) returns boolean
language plpgsql security definer set search_path = public, pg_temp set lock_timeout = '500ms' as $$
declare
  part text := datapoint_partition(day);
  filled boolean;
begin
  execute format('select exists (select from %I)', part) into filled;
  if not filled then
    return false;
  end if;
  execute format('lock table %I in access exclusive mode', part);
  if not is_day_over(day, at) then
    return false; -- a tenant came, or wants to keep more, meanwhile
  end if;
  execute format('truncate %I', part);
  return true;
end $$;

-- Drops the partition of a day that no tenant keeps at `at`; false: one does. Ingestion waits for at most the lock
-- timeout: detaching concurrently is not possible beside a default partition.
create function drop_datapoint_day(day date, at timestamptz) returns boolean
language plpgsql security definer set search_path = public, pg_temp set lock_timeout = '500ms' as $$
begin
  lock table datapoints in access exclusive mode;
  if not is_day_over(day, at) then
    return false;
  end if;
  execute format('drop table if exists %I', datapoint_partition(day));
  return true;
end $$;

-- Whose datapoints a day holds; reads one row a tenant.
create function datapoint_tenants(day date) returns setof uuid
language plpgsql stable security definer set search_path = public, pg_temp as $$
declare
  part text := datapoint_partition(day);
  tenant uuid;
begin
  execute format('select tenant_id from %I order by tenant_id limit 1', part) into tenant;
  while tenant is not null loop
    return next tenant;
    execute format('select tenant_id from %I where tenant_id > $1 order by tenant_id limit 1', part)
      into tenant using tenant;
  end loop;
end $$;

-- Deletes at most at_most of a tenant's datapoints before `until` from one partition, in the order of their keys after
-- (after_metric, after_ts), if the tenant keeps no more than `kept_days`; null: if there is no such tenant any more.
-- None that is younger than that, whatever `until` says. What a writer holds at the moment is passed over. Returns how
-- many, and the last key.
create function delete_expired_datapoints(day date, tenant uuid, kept_days integer, until timestamptz,
  after_metric uuid, after_ts timestamptz, at_most integer,
  out deleted integer, out last_metric uuid, out last_ts timestamptz)
language plpgsql security definer set search_path = public, pg_temp as $$
begin
  execute format('
    with doomed as (
      select ctid, metric_id, ts from %1$I
      where tenant_id = $1 and (metric_id, ts) > ($4, $5) and ts < $3
        and case when $2 is null then not exists (select from tenants where id = $1)
          else exists (select from tenants where id = $1 and retention_days <= $2) end
      order by metric_id, ts limit $6 for update skip locked),
    gone as (delete from %1$I where ctid = any (array(select ctid from doomed)) returning 1)
    select (select count(*) from gone), last.metric_id, last.ts
    from (select) as always left join (select metric_id, ts from doomed order by metric_id desc, ts desc limit 1) as last
      on true', datapoint_partition(day))
    into deleted, last_metric, last_ts
    using tenant, kept_days, least(until, now() - kept_days * interval '24 hours'), after_metric, after_ts, at_most;
end $$;

-- Whether a move was begun and not finished.
create function is_default_moving() returns boolean stable
  return to_regclass('public.datapoints_moving') is not null;

-- A default partition of many rows becomes days in four kinds of short transactions: begin; copies, while a trigger
-- repeats every write on the copy; finish, which exchanges the two. Readers see all rows all the time.

create function mirror_default_datapoint() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
  if tg_op = 'DELETE' then
    delete from datapoints_moving where (tenant_id, metric_id, ts) = (old.tenant_id, old.metric_id, old.ts);
  else
    insert into datapoints_moving values (new.*)
    on conflict (tenant_id, metric_id, ts) do update set value = excluded.value, version = excluded.version
    where (excluded.version, excluded.value) > (datapoints_moving.version, datapoints_moving.value);
  end if;
  return null;
end $$;

-- Prepares the copy: a default partition, and those of from_day..to_day that there are rows of. One that was begun goes
-- on.
-- Returns what finish_default_move wants to be told.
create function begin_default_move(from_day date, to_day date) returns oid
language plpgsql security definer set search_path = public, pg_temp set lock_timeout = '500ms' as $$
declare
  d date;
begin
  perform pg_advisory_xact_lock(hashtext('datapoint_partitions'));
  lock table datapoints in access share mode; -- from here on names are looked up anew, not as remembered
  if to_regclass('datapoints_moving') is not null then
    return to_regclass('datapoints_moving');
  end if;
  create table datapoints_moving (like datapoints including defaults including constraints including indexes)
    partition by range (ts);
  create table datapoints_moving_default partition of datapoints_moving default;
  for d in select distinct (ts at time zone 'UTC')::date from datapoints_default
    where ts >= day_start(from_day) and ts < day_start(to_day + 1) order by 1
  loop
    -- The check spares attaching it a look at every row.
    execute format('create table %I partition of datapoints_moving (constraint one_day check (ts >= %L and ts < %L))
      for values from (%2$L) to (%3$L)', datapoint_partition(d), day_start(d), day_start(d + 1));
  end loop;
  create trigger mirror after insert or update or delete on datapoints_default
    for each row execute function mirror_default_datapoint();
  return to_regclass('datapoints_moving');
end $$;

-- Copies at most at_most rows in the order of their keys, from after the one given. Returns how many, and the last key.
-- The rows are locked against deletion, or a copy could outlive its row.
create function copy_default_datapoints(after_tenant uuid, after_metric uuid, after_ts timestamptz, at_most integer,
  out copied integer, out last_tenant uuid, out last_metric uuid, out last_ts timestamptz)
language plpgsql security definer set search_path = public, pg_temp as $$
begin
  with originals as materialized (
    select * from datapoints_default
    where (tenant_id, metric_id, ts) > (after_tenant, after_metric, after_ts)
    order by tenant_id, metric_id, ts limit at_most for key share),
  written as (
    insert into datapoints_moving as m select * from originals order by tenant_id, metric_id, ts
    on conflict (tenant_id, metric_id, ts) do update set value = excluded.value, version = excluded.version
    where (excluded.version, excluded.value) > (m.version, m.value))
  select (select count(*) from originals), last.tenant_id, last.metric_id, last.ts
  into copied, last_tenant, last_metric, last_ts
  from (select) as always left join
    (select * from originals order by tenant_id desc, metric_id desc, ts desc limit 1) as last on true;
end $$;

-- The copy takes the default partition's place: nothing is read or written but the catalogue. False when the copy is
-- another one than what the caller has completed: somebody else has finished that.
create function finish_default_move(move oid) returns boolean
language plpgsql security definer set search_path = public, pg_temp set lock_timeout = '500ms' as $$
declare
  part record;
begin
  perform pg_advisory_xact_lock(hashtext('datapoint_partitions'));
  lock table datapoints in access exclusive mode;
  if to_regclass('datapoints_moving') is distinct from move::regclass then
    return false;
  end if;
  lock table datapoints_default, datapoints_moving in access exclusive mode;
  alter table datapoints detach partition datapoints_default;
  drop table datapoints_default;
  for part in
    select c.relname as name, pg_get_expr(c.relpartbound, c.oid) as bound, c.relname = 'datapoints_moving_default' as rest
    from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = 'datapoints_moving'::regclass
    order by rest
  loop
    execute format('alter table datapoints_moving detach partition %I', part.name);
    execute format('alter table datapoints attach partition %I %s', part.name, part.bound);
    if not part.rest then
      execute format('alter table %I drop constraint one_day', part.name);
    end if;
  end loop;
  alter table datapoints_moving_default rename to datapoints_default;
  alter index datapoints_moving_default_pkey rename to datapoints_default_pkey;
  drop table datapoints_moving;
  return true;
end $$;

-- A new database is ready for what comes.
select ensure_datapoint_partitions((now() at time zone 'UTC')::date, (now() at time zone 'UTC')::date + 14);

revoke execute on function default_partition_rows, ensure_datapoint_partitions, empty_datapoint_day, drop_datapoint_day,
  datapoint_tenants, delete_expired_datapoints, begin_default_move, copy_default_datapoints, finish_default_move
  from public;
grant execute on function default_partition_rows, empty_datapoint_day, drop_datapoint_day, datapoint_tenants,
  delete_expired_datapoints, begin_default_move, copy_default_datapoints, finish_default_move to edgepulse_operator;
grant delete on dead_letters to edgepulse_operator;
grant select, update, delete on dead_letters to edgepulse_ml;
drop function drop_datapoint_partition(date);

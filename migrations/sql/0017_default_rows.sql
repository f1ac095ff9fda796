-- Purpose: a tenant hears that datapoints of its lie in the default partition. Reader: the Worker (GET /v1/status).

-- Whether the transaction's tenant has any there: one look at the key of a table that should be empty.
create function has_default_datapoints() returns boolean
language sql stable security definer set search_path = public, pg_temp as $$
  select exists (select from datapoints_default where tenant_id = current_tenant())
$$;

revoke execute on function has_default_datapoints from public;
grant execute on function has_default_datapoints to edgepulse_edge;

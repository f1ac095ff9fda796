-- Purpose: who may use the service. Writer: the Worker's admin API. Reader: admin API, ML service.
-- Keys are decided by the TenantControl object; api_keys is its auditable mirror and holds hashes only.

create table tenants (
  id             uuid primary key,
  name           text not null unique,
  state          text not null default 'active' check (state in ('active', 'suspended', 'deleting')),
  retention_days integer not null default 30 check (retention_days between 1 and 400),
  series_limit   integer not null default 100000 check (series_limit > 0),
  shards         integer not null default 1 check (shards between 1 and 256),
  rate_limit     jsonb,
  created_at     timestamptz not null default now()
);

create table api_keys (
  tenant_id  uuid not null references tenants (id) on delete cascade,
  id         uuid not null,
  name       text,
  key_hash   text not null unique, -- SHA-256 of the whole key, hex
  scopes     text[] not null,
  created_at timestamptz not null,
  expires_at timestamptz,
  revoked_at timestamptz,
  primary key (tenant_id, id)
);

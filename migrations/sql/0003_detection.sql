-- Purpose: models, scores and the work still to do. Writer: ML service (due_metrics also the consumer).
-- Reader: ML service, query API.

-- A metric whose windows arrived or changed since it was last scored. Scoring deletes the row in the same
-- transaction that stores the scores; a row that changed meanwhile (revision) stays.
create table due_metrics (
  tenant_id uuid not null,
  metric_id uuid not null,
  due_since timestamptz not null default now(),
  revision  bigint not null default 1,
  primary key (tenant_id, metric_id),
  foreign key (tenant_id, metric_id) references metrics (tenant_id, id) on delete cascade
);

create table models (
  tenant_id     uuid not null,
  id            uuid not null,
  metric_id     uuid not null,
  path          text not null, -- relative to MODEL_DIR
  sha256        text not null,
  trained_until timestamptz not null,
  created_at    timestamptz not null default now(),
  updated_at    timestamptz not null default now(),
  primary key (tenant_id, id),
  unique (tenant_id, metric_id, trained_until),
  foreign key (tenant_id, metric_id) references metrics (tenant_id, id) on delete cascade
);

create table anomaly_scores (
  tenant_id     uuid not null,
  metric_id     uuid not null,
  window_start  timestamptz not null,
  window_end    timestamptz not null,
  score         double precision not null,
  onset_score   double precision not null,
  state         text not null check (state in ('learning', 'ready')),
  reasons       jsonb not null default '[]',
  expected_low  double precision,
  expected_high double precision,
  model_id      uuid,
  scored_at     timestamptz not null,
  primary key (tenant_id, metric_id, window_end),
  foreign key (tenant_id, metric_id) references metrics (tenant_id, id) on delete cascade
);

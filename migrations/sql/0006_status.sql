-- Purpose: GET /v1/status without reading a tenant's whole history.

create index window_aggregates_by_time on window_aggregates (tenant_id, window_start);
create index batches_failed on batches (tenant_id) where status = 'failed';

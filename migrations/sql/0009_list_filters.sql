-- Purpose: lists that are filtered read what they show, and not all that lies between. Readers: GET /v1/anomalies with
-- min_score, GET /v1/alerts with metric_id or state, GET /admin/dead-letters with tenant.

create index anomaly_scores_anomalous on anomaly_scores (tenant_id, window_end, metric_id) where score >= 1;
create index alert_events_by_metric on alert_events (tenant_id, metric_id, opened_at, id);
create index alert_events_open on alert_events (tenant_id, opened_at, id) where state = 'open';
create index dead_letters_by_tenant on dead_letters (tenant_id, id);

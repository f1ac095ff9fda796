-- Purpose: GET /v1/anomalies without a metric lists a tenant's scores in order of time.

create index anomaly_scores_by_time on anomaly_scores (tenant_id, window_end, metric_id);

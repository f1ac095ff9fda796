-- Purpose: tells of a window that was only learned when its metric will have learned enough. Writer: `ml score`. Reader:
-- query API.

alter table anomaly_scores
  add column ready_at timestamptz; -- as known with this window, if data keep coming as they did; null: it is scored

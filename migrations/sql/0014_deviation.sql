-- Purpose: a rule with a direction or a least deviation can be tried on the past. Writer: the ML service.
-- Reader: the Worker.

alter table anomaly_scores
  add column deviation double precision; -- from the middle of what was expected; null: nothing was expected, or not known

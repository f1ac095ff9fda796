-- Purpose: says from which window on a due metric changed, so that scoring need not count all its windows to know that a
-- stored state still describes what lies before. Writers: who marks metrics due. Reader: `ml score`.

alter table due_metrics
  add column changed_from timestamptz not null default '-infinity'; -- start of the oldest window that changed; -infinity: not known

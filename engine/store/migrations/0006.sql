-- How the graph of a run ended, before its handlers have: a process that goes
-- on with the run takes it from there. NULL: the graph has not ended.
ALTER TABLE runs ADD COLUMN outcome TEXT;
ALTER TABLE runs ADD COLUMN outcome_error TEXT;

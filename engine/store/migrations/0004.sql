-- Slots that passed unserved are counted each time that somebody asks for the
-- status; there are few among many runs.
CREATE INDEX runs_missed ON runs (queued, system) WHERE state = 'skipped' AND reason = 'missed';

-- What an engine that serves has still to do about a run (history.Owed); NULL: nothing.
ALTER TABLE runs ADD COLUMN owed INTEGER;
CREATE INDEX runs_owed ON runs (state, id) WHERE owed IS NOT NULL;

-- What a step wrote to REDUND_ENV, for a run that goes on in another process.
ALTER TABLE steps ADD COLUMN env TEXT;          -- JSON

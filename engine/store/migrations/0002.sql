-- The queue: what a run that waits is started with, and who asked to cancel one.
ALTER TABLE runs ADD COLUMN env TEXT;           -- JSON
ALTER TABLE runs ADD COLUMN cancel INTEGER;     -- when somebody asked for it
CREATE INDEX runs_queue ON runs (priority DESC, due, id) WHERE state = 'queued';

-- 1: the schedule decided it, or came to it after a person had. Only such
-- slots say how far the schedule has come.
ALTER TABLE slots ADD COLUMN planned INTEGER;

-- The pipelines in force: what a start with a broken file goes back to.
CREATE TABLE loaded (
  system TEXT NOT NULL,
  name   TEXT NOT NULL,
  file   TEXT NOT NULL,
  hash   TEXT NOT NULL,        -- of a definition
  since  INTEGER NOT NULL,     -- first loaded, and never gone since
  PRIMARY KEY (system, name)
) STRICT, WITHOUT ROWID;

-- Which processes keep services running: what one left that was killed is ended
-- before another starts them. One is alive while the file of its lease is locked.
CREATE TABLE keepers (
  engine TEXT PRIMARY KEY,     -- its name in the marks of processes
  lease  TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What is known of the primary of a service in standby, and who runs.
CREATE TABLE takeovers (
  system TEXT NOT NULL,
  name   TEXT NOT NULL,
  state  TEXT NOT NULL,        -- JSON: phase, since, known, held, again, reason
  PRIMARY KEY (system, name)
) STRICT, WITHOUT ROWID;

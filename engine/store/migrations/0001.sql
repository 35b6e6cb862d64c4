-- Times are integer microseconds since 1970 UTC; 0 or NULL: none.

CREATE TABLE schema_version (
  version INTEGER PRIMARY KEY,
  applied INTEGER NOT NULL
) STRICT;

-- What runs and slots ran under, so that they go on under what they began with.
CREATE TABLE definitions (
  hash TEXT PRIMARY KEY,
  file TEXT NOT NULL,
  body BLOB NOT NULL,          -- canonical JSON
  seen INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Processes that execute runs. One is alive while its file engines/<id> is locked.
CREATE TABLE engines (
  id        TEXT PRIMARY KEY,
  host      TEXT NOT NULL,
  boot      TEXT NOT NULL,     -- boot id: after another boot the records of steps may be short
  pid       INTEGER NOT NULL,
  started   INTEGER NOT NULL,
  heartbeat INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- A slot is an identity: pipeline and nominal instant.
CREATE TABLE slots (
  system   TEXT NOT NULL,
  name     TEXT NOT NULL,
  slot     INTEGER NOT NULL,
  fence    INTEGER NOT NULL,   -- grows with every claim
  run      INTEGER NOT NULL,   -- the newest run of it, 0: none
  decision TEXT NOT NULL,      -- run, skip or '' (open)
  reason   TEXT NOT NULL,
  evidence TEXT,               -- JSON
  decided  INTEGER NOT NULL,
  hash     TEXT,
  PRIMARY KEY (system, name, slot)
) STRICT, WITHOUT ROWID;

CREATE TABLE runs (
  id       INTEGER PRIMARY KEY AUTOINCREMENT,
  system   TEXT NOT NULL,
  name     TEXT NOT NULL,
  "trigger" TEXT NOT NULL,
  slot     INTEGER,
  state    TEXT NOT NULL,
  reason   TEXT NOT NULL,
  attempt  INTEGER NOT NULL,
  fence    INTEGER NOT NULL,
  parent   INTEGER,
  engine   TEXT,               -- who claimed it
  hash     TEXT REFERENCES definitions (hash),
  queued   INTEGER NOT NULL,
  started  INTEGER,
  finished INTEGER,
  error    TEXT,
  priority INTEGER,
  due      INTEGER,            -- not before
  params   TEXT,               -- JSON
  verdict  TEXT,               -- of the primary
  evidence TEXT                -- JSON
) STRICT;
CREATE INDEX runs_by_pipeline ON runs (system, name, id);
CREATE INDEX runs_by_system ON runs (system, id);
CREATE INDEX runs_by_state ON runs (state, id);
CREATE INDEX runs_by_slot ON runs (system, name, slot, id) WHERE slot IS NOT NULL;
CREATE INDEX runs_by_time ON runs (queued);
CREATE INDEX runs_tally ON runs (system, name, state, queued);
CREATE INDEX runs_failover ON runs (queued, system, name, state, slot, finished) WHERE "trigger" = 'failover';
CREATE INDEX runs_by_hash ON runs (hash);

CREATE TABLE steps (
  run       INTEGER NOT NULL,  -- who writes it proves at the same time that the run is its own
  idx       INTEGER NOT NULL,
  id        TEXT NOT NULL,
  matrix    TEXT,
  uses      TEXT NOT NULL,
  state     TEXT NOT NULL,
  continued INTEGER,
  attempts  INTEGER NOT NULL,
  exit_code INTEGER,
  signal    TEXT,
  started   INTEGER,
  finished  INTEGER,
  outputs   TEXT,              -- JSON
  truncated INTEGER,
  error     TEXT,
  pid       INTEGER,
  pid_start INTEGER,
  PRIMARY KEY (run, idx)
) STRICT, WITHOUT ROWID;

CREATE TABLE events (          -- append only
  id       INTEGER PRIMARY KEY,
  at       INTEGER NOT NULL,
  run      INTEGER,
  pipeline TEXT NOT NULL,      -- system/name, or ''
  what     TEXT NOT NULL,
  detail   TEXT NOT NULL
) STRICT;
CREATE INDEX events_by_run ON events (run) WHERE run IS NOT NULL;
CREATE INDEX events_by_pipeline ON events (pipeline, id) WHERE run IS NULL;
CREATE INDEX events_by_what ON events (what, at, pipeline);

CREATE TABLE parts (           -- what was stopped by hand
  system TEXT NOT NULL,
  name   TEXT NOT NULL,        -- '': the whole system
  mode   TEXT NOT NULL,
  since  INTEGER NOT NULL,
  PRIMARY KEY (system, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE heartbeats (      -- of primaries
  system TEXT NOT NULL,
  name   TEXT NOT NULL,
  rid    TEXT NOT NULL,
  state  TEXT NOT NULL,
  slot   INTEGER,
  at     INTEGER NOT NULL,
  PRIMARY KEY (system, name, rid, state)
) STRICT, WITHOUT ROWID;
CREATE INDEX heartbeats_by_time ON heartbeats (system, name, at);

CREATE TABLE outbox (          -- notifications that were not delivered yet
  id       INTEGER PRIMARY KEY,
  made     INTEGER NOT NULL,
  due      INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  body     TEXT NOT NULL,
  error    TEXT
) STRICT;

-- What was seen of a primary stands with the slot that it was seen for.
ALTER TABLE slots ADD COLUMN next       INTEGER;  -- the slot after it; NULL: no primary is asked about it
ALTER TABLE slots ADD COLUMN verdict    TEXT;     -- of the newest look, and what follows too
ALTER TABLE slots ADD COLUMN why        TEXT;
ALTER TABLE slots ADD COLUMN url        TEXT;
ALTER TABLE slots ADD COLUMN primary_run TEXT;    -- the primary's own id of its run
ALTER TABLE slots ADD COLUMN began      INTEGER;
ALTER TABLE slots ADD COLUMN ended      INTEGER;
ALTER TABLE slots ADD COLUMN seen       INTEGER;  -- when it was first seen to go on
ALTER TABLE slots ADD COLUMN claimed    TEXT;     -- who asked whether it may go on
ALTER TABLE slots ADD COLUMN lease      INTEGER;  -- until when it may
ALTER TABLE slots ADD COLUMN dispatched TEXT;     -- the run that the primary was asked for
ALTER TABLE slots ADD COLUMN asked      INTEGER;  -- when it was
ALTER TABLE slots ADD COLUMN refused    INTEGER;  -- 1: it did not take it
ALTER TABLE slots ADD COLUMN late       INTEGER;  -- how late it turned up after the backup ran
CREATE INDEX slots_open ON slots (system, name, slot) WHERE decision = '';
CREATE INDEX slots_next ON slots (next) WHERE next IS NOT NULL;
CREATE INDEX slots_began ON slots (system, name, slot) WHERE began IS NOT NULL;

-- The story of a slot is told of its events.
ALTER TABLE events ADD COLUMN slot INTEGER;
CREATE INDEX events_by_slot ON events (pipeline, slot) WHERE slot IS NOT NULL;

-- What the probe of a pipeline said last, and whether it ever knew anything.
CREATE TABLE probes (
  system  TEXT NOT NULL,
  name    TEXT NOT NULL,
  known   INTEGER NOT NULL,    -- 1: it has
  refused INTEGER NOT NULL,    -- 1: the last answer said that it is not set up
  verdict TEXT NOT NULL,
  why     TEXT NOT NULL,
  since   INTEGER NOT NULL,    -- the last answer has been like this
  PRIMARY KEY (system, name)
) STRICT, WITHOUT ROWID;

-- A heartbeat without an id of its run is one of its own.
DROP TABLE heartbeats;
CREATE TABLE heartbeats (
  id     INTEGER PRIMARY KEY,
  system TEXT NOT NULL,
  name   TEXT NOT NULL,
  rid    TEXT,
  state  TEXT NOT NULL,
  slot   INTEGER,              -- that the caller named
  at     INTEGER NOT NULL,     -- by our clock
  body   TEXT                  -- masked and cut
) STRICT;
CREATE UNIQUE INDEX heartbeats_once ON heartbeats (system, name, rid, state) WHERE rid IS NOT NULL;
CREATE INDEX heartbeats_by_time ON heartbeats (system, name, at);

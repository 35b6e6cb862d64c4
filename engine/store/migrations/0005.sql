-- Who is told of what. A row of the outbox is one message to one service; the
-- service is a digest of what redund.yaml says of it, never its address.
DROP TABLE outbox;
CREATE TABLE outbox (
  id       INTEGER PRIMARY KEY,
  made     INTEGER NOT NULL,
  due      INTEGER NOT NULL,   -- not before
  attempts INTEGER NOT NULL,
  service  TEXT NOT NULL,
  what     TEXT NOT NULL,      -- a word of notify.on
  text     TEXT NOT NULL       -- one line, masked
) STRICT;

-- What somebody was told of and what lasts: it is not told again meanwhile.
CREATE TABLE told (
  key    TEXT PRIMARY KEY,
  detail TEXT NOT NULL,        -- another one is told again
  since  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

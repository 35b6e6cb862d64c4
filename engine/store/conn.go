package store

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"time"

	"github.com/ncruces/go-sqlite3"
)

// What a connection is for, as the pragmas that make it so: it only reads, or
// it writes in one of two ways, between which the writer changes.
const (
	readMode   = "PRAGMA query_only=1"
	aloneMode  = readMode + "; PRAGMA locking_mode=EXCLUSIVE" // without a file that is shared; others wait
	fullMode   = "PRAGMA synchronous=FULL"
	normalMode = "PRAGMA synchronous=NORMAL"
	writeMode  = "; PRAGMA foreign_keys=1; PRAGMA temp_store=MEMORY; PRAGMA journal_size_limit=1048576" // savepoints would go to files
)

// patience is how long a lock of another process is waited for.
const patience = 10 * time.Second

// maxStatements bounds the statements that a connection keeps compiled.
const maxStatements = 64

// conn is one connection, with the statements it has compiled so far.
type conn struct {
	*sqlite3.Conn
	statements map[string]*sqlite3.Stmt
	waiting    time.Time // since when it waits for a lock
	trace      func(string)
}

func (d *DB) connect(mode string) (*conn, error) {
	c, err := connect(d.path, mode)
	if err == nil {
		c.trace = d.trace
	}
	return c, err
}

func connect(path, pragmas string) (*conn, error) {
	raw, err := sqlite3.OpenFlags(path, sqlite3.OPEN_READWRITE)
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: raw, statements: map[string]*sqlite3.Stmt{}}
	switch pragmas {
	case readMode:
	case aloneMode:
		// What is closed is left as it is: there may be no room to bring the log home.
		_, err = raw.Config(sqlite3.DBCONFIG_NO_CKPT_ON_CLOSE, true)
	default:
		pragmas += writeMode
		own(path)
	}
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	if err = raw.BusyHandler(c.wait); err == nil {
		err = raw.Exec(pragmas)
	}
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// own makes the files beside the database, so that only we may read them: the
// driver would let everybody. Where there is no room, it says so itself.
func own(path string) {
	for _, name := range []string{path + "-wal", path + "-shm"} {
		f, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
		if err == nil {
			f.Close()
		} else if errors.Is(err, os.ErrExist) {
			_ = os.Chmod(name, 0o600) // one that is another user's cannot be opened either
		}
	}
}

// wait is called while another process holds the lock. The pauses are short
// and random: SQLite's own grow to 100 ms and let a busy writer starve us.
func (c *conn) wait(ctx context.Context, count int) bool {
	if count == 0 {
		c.waiting = time.Now()
	} else if time.Since(c.waiting) > patience {
		return false
	}
	t := time.NewTimer(200*time.Microsecond + rand.N(2*time.Millisecond))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// version is the version of the tables; 0: there are none.
func (c *conn) version() (int, error) {
	version, tables := 0, false
	tx := Tx{c}
	err := tx.Query("SELECT 1 FROM sqlite_schema WHERE name='schema_version'", func(Row) error { tables = true; return nil })
	if err != nil || !tables {
		return 0, err
	}
	err = tx.Query("SELECT max(version) FROM schema_version", func(r Row) error { version = int(r.Int(0)); return nil })
	return version, err
}

// prepare gives the statement for a query, compiled when it is first used. The
// second result ends its use.
func (c *conn) prepare(query string) (*sqlite3.Stmt, func(), error) {
	if c.trace != nil {
		c.trace(query)
	}
	if s, ok := c.statements[query]; ok && !s.Busy() {
		return s, func() { _ = s.Reset() }, nil
	}
	s, _, err := c.Prepare(query)
	if err != nil {
		return nil, nil, err
	}
	if _, ok := c.statements[query]; ok || len(c.statements) >= maxStatements {
		return s, func() { _ = s.Close() }, nil
	}
	c.statements[query] = s
	return s, func() { _ = s.Reset() }, nil
}

// run executes a statement that has neither arguments nor a result.
func (c *conn) run(query string) error {
	s, done, err := c.prepare(query)
	if err != nil {
		return err
	}
	defer done()
	return s.Exec()
}

// Close ends the connection and its statements.
func (c *conn) Close() error {
	for _, s := range c.statements {
		_ = s.Close() // gives the error of its last use again
	}
	return c.Conn.Close()
}

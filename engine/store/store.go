// Package store opens the database of a project's state directory, brings its
// tables up to date and carries transactions. It is the only package that
// knows the database; what the tables mean is known to engine/history.
//
// The database is SQLite in WAL mode, shared by every process of the project.
// One connection writes, for one caller after the other, in one of two ways:
// so that a commit survives a power cut (DB.Write), or a killed process without
// a wait for the disk (DB.Fast). It changes between them by a pragma, since a
// second connection costs a start as much as all the rest of the store.
// Readers have connections of their own and never wait for writers.
//
// Start with Open, then DB.Write, DB.Fast and DB.Read.
package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/ncruces/go-sqlite3"
)

// fileName is the database's name in the state directory.
const fileName = "redund.db"

// leases is the directory of leases in the state directory.
const leases = "engines"

// readers bounds how many reads go on at once.
const readers = 4

// Options says which database to open.
type Options struct {
	Dir string // the state directory
	// ReadOnly makes nothing; a database that is missing reads as an empty one.
	// On a full disk, with the database open nowhere else, who reads keeps
	// writers waiting until Close.
	ReadOnly bool
	// Trace is told each statement before it runs, by whoever runs it; nil: nobody
	// is. It is for tests of how statements are run.
	Trace func(statement string)
}

// DB is an open database. Its methods may be called from several goroutines.
type DB struct {
	dir      string
	path     string
	readOnly bool
	empty    bool // read only, and there is no database
	trace    func(string)

	writing chan struct{}            // holds one token: who has it may use the writer
	pen     *conn                    // the writer, made when it is first needed
	mode    string                   // of the writer
	version int64                    // of the data, as the writer saw it last in Changed
	log     atomic.Pointer[logState] // as it was then; nil: nobody has looked
	queueMu sync.Mutex
	queue   []*request
	reading chan struct{} // a token for each read that goes on
	idleMu  sync.Mutex
	idle    []*conn // readers
	closed  bool    // guarded by idleMu
}

// Open opens the database in the state directory. Unless o.ReadOnly, it makes
// both when they are missing and sets the directory's mode to 0700. Tables of
// an older version are brought up to date, by one process at a time.
func Open(ctx context.Context, o Options) (*DB, error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("state directory %s: %w", o.Dir, err)
	}
	d := &DB{
		dir: dir, path: filepath.Join(dir, fileName), readOnly: o.ReadOnly, trace: o.Trace,
		writing: make(chan struct{}, 1), reading: make(chan struct{}, readers),
	}
	d.writing <- struct{}{}
	if err := prepareDir(dir, o.ReadOnly); err != nil {
		if o.ReadOnly && errors.Is(err, fs.ErrNotExist) {
			d.empty = true
			return d, nil
		}
		return nil, err
	}
	state, err := d.state()
	if err == nil && state == blank && d.readOnly {
		state, err = d.await(ctx)
	}
	switch {
	case err != nil:
	case state == made:
		err = d.open(ctx)
	case d.readOnly:
		d.empty = true
	default:
		err = d.migrate(ctx)
	}
	if err != nil {
		return nil, explain(d.path, errors.Join(err, d.Close()))
	}
	return d, nil
}

// What there is of the database: no file, an empty one, or more.
const (
	missing = iota
	blank
	made
)

func (d *DB) state() (int, error) {
	info, err := os.Stat(d.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return missing, nil
	case err == nil && info.Size() == 0:
		return blank, nil
	}
	return made, err
}

// await is state for who reads and has seen an empty file: another process may
// be about to make a database of it.
func (d *DB) await(ctx context.Context) (int, error) {
	release, err := lockFile(ctx, d.lockPath(), os.O_RDONLY)
	if err == nil {
		defer release()
	} else if !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	return d.judge()
}

// judge is state for who holds the lock: what is empty now stays so.
func (d *DB) judge() (int, error) {
	state, err := d.state()
	if err == nil && state == blank && d.used() {
		err = &fault{d.path + " is empty, but runs were recorded in it: bring back a copy of it, or remove it to begin a new history", ErrCorrupt, nil}
	}
	return state, err
}

// used reports whether a process has run something with this state directory:
// then an empty database has lost what it held, and is not just new.
func (d *DB) used() bool {
	_, err := os.Stat(filepath.Join(d.dir, leases))
	return err == nil
}

// open makes the first connection, which shows whether the tables are there,
// and keeps it for what is most likely needed: a connection costs a millisecond.
func (d *DB) open(ctx context.Context) error {
	mode, keep := readMode, func(c *conn) { d.idle = append(d.idle, c) }
	if !d.readOnly {
		mode, keep = fullMode, func(c *conn) { d.pen, d.mode = c, fullMode }
	}
	c, version, err := examine(ctx, d.path, mode)
	if d.readOnly && (full(d.path, err) || errors.Is(err, sqlite3.CANTOPEN)) {
		// Who finds the database closed makes a file for all who open it, for
		// which there is no room; a reader does without, for a moment alone.
		if alone, v, aerr := examine(ctx, d.path, aloneMode); aerr == nil {
			c, version, err = alone, v, nil
			d.reading = make(chan struct{}, 1)
		}
	}
	switch {
	case err != nil:
		return err
	case version == len(migrations):
		c.trace = d.trace
		keep(c)
		return nil
	}
	switch err := c.Close(); {
	case err != nil:
		return err
	case version > len(migrations):
		return fmt.Errorf("%s was written by a newer redundctl (tables of version %d, this one knows %d): use that version, or a state directory of its own",
			d.path, version, len(migrations))
	}
	return d.migrate(ctx)
}

// examine makes a connection and asks it for the version of the tables.
func examine(ctx context.Context, path, mode string) (*conn, int, error) {
	c, err := connect(path, mode)
	if err != nil {
		return nil, 0, err
	}
	c.SetInterrupt(ctx)
	version, err := c.version()
	c.SetInterrupt(context.Background())
	if err != nil {
		return nil, 0, errors.Join(err, c.Close())
	}
	return c, version, nil
}

// Dir is the state directory.
func (d *DB) Dir() string { return d.dir }

// Read runs f over one consistent state of the database, as of its first
// query. Queries end early with ctx. Where there is no database yet, f is not
// called.
func (d *DB) Read(ctx context.Context, f func(*Tx) error) error {
	if d.empty {
		return nil
	}
	select {
	case d.reading <- struct{}{}:
		defer func() { <-d.reading }()
	case <-ctx.Done():
		return ctx.Err()
	}
	c, err := d.reader()
	if err != nil {
		return explain(d.path, err)
	}
	defer d.giveBack(c)
	defer c.SetInterrupt(c.SetInterrupt(ctx))
	if err := c.run("BEGIN"); err != nil {
		return explain(d.path, err)
	}
	defer func() {
		c.SetInterrupt(context.Background())
		_ = c.run("ROLLBACK") // nothing was written
	}()
	if err := f(&Tx{c}); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return explain(d.path, err)
	}
	return nil
}

func (d *DB) reader() (*conn, error) {
	d.idleMu.Lock()
	defer d.idleMu.Unlock()
	if d.closed {
		return nil, errClosed
	}
	if n := len(d.idle); n > 0 {
		c := d.idle[n-1]
		d.idle = d.idle[:n-1]
		return c, nil
	}
	return d.connect(readMode)
}

func (d *DB) giveBack(c *conn) {
	d.idleMu.Lock()
	defer d.idleMu.Unlock()
	if d.closed {
		_ = c.Close() // it only read
		return
	}
	d.idle = append(d.idle, c)
}

// Close closes the database when what is being written has been written. The
// last process to close it leaves one whole file behind.
func (d *DB) Close() error {
	<-d.writing
	defer func() { d.writing <- struct{}{} }()
	d.idleMu.Lock()
	defer d.idleMu.Unlock()
	d.closed = true
	var errs []error
	// The writer goes last: a reader may not bring the log home into the file.
	for _, c := range append(d.idle, d.pen) {
		if c != nil {
			errs = append(errs, c.Close())
		}
	}
	d.idle, d.pen = nil, nil
	return explain(d.path, errors.Join(errs...))
}

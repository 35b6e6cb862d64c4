package store

import (
	"context"
	"errors"
	"fmt"
)

// request is one call of Write or Fast that waits for its turn.
type request struct {
	f     func(*Tx) error
	mode  string // of the writer
	err   error
	one   bool // f is one statement
	taken bool // into a batch; guarded by queueMu
	done  chan struct{}
}

// Write runs f in a transaction that, once Write returns nil, survives a power
// cut. When f or the commit fails, nothing of it is kept. ctx bounds the wait
// for the turn; a transaction that has begun is never torn. Calls of Write and
// Fast that wait at the same time share one transaction, and so one wait for the
// disk, but each fails or succeeds on its own. f may be called on another
// goroutine than the caller's.
func (d *DB) Write(ctx context.Context, f func(*Tx) error) error {
	return d.write(ctx, &request{f: f, mode: fullMode, done: make(chan struct{})})
}

// Fast is Write, but for a transaction that, once Fast returns nil, survives a
// killed process; the next Write carries it to the disk.
func (d *DB) Fast(ctx context.Context, f func(*Tx) error) error {
	return d.write(ctx, &request{f: f, mode: normalMode, done: make(chan struct{})})
}

// Later is a transaction that waits for the next one to share.
type Later struct {
	d *DB
	r *request
}

// Later has f run like one of Fast with whatever is written next, before it. Who
// needs it done without that calls Wait; what nobody has waited for when the
// database is closed is lost. f runs one statement that writes, and no more: what
// others do beside it need not be guarded against its failure.
func (d *DB) Later(f func(*Tx) error) *Later {
	r := &request{f: f, mode: normalMode, one: true, done: make(chan struct{})}
	d.enter(r)
	return &Later{d, r}
}

// Wait returns when it is done, and gives the error of f or of the commit.
func (l *Later) Wait(ctx context.Context) error {
	if l.Done() {
		return explain(l.d.path, l.r.err)
	}
	return l.d.carry(ctx, l.r)
}

// Done reports whether it is done.
func (l *Later) Done() bool {
	select {
	case <-l.r.done:
		return true
	default:
		return false
	}
}

func (d *DB) write(ctx context.Context, r *request) error {
	d.enter(r)
	return d.carry(ctx, r)
}

func (d *DB) enter(r *request) {
	d.queueMu.Lock()
	defer d.queueMu.Unlock()
	d.queue = append(d.queue, r)
}

// carry sees a request through, with all others that wait.
func (d *DB) carry(ctx context.Context, r *request) error {
	if err := d.turn(ctx); err != nil && d.withdraw(r) {
		return err
	} else if err != nil {
		<-r.done // another's batch has it: it ends by itself
		return explain(d.path, r.err)
	}
	defer d.yield()
	select {
	case <-r.done: // another's batch had it
		return explain(d.path, r.err)
	default:
	}
	d.queueMu.Lock()
	batch := d.queue
	d.queue = nil
	mode := normalMode
	for _, q := range batch {
		q.taken = true
		if q.mode == fullMode {
			mode = fullMode
		}
	}
	d.queueMu.Unlock()
	defer func() {
		for _, q := range batch {
			close(q.done)
		}
	}()
	if c, err := d.writer(mode); err != nil {
		for _, q := range batch {
			q.err = err
		}
	} else {
		d.batch(c, batch)
	}
	return explain(d.path, r.err)
}

// Probe writes what changes nothing, to see whether the database can be written.
func (d *DB) Probe(ctx context.Context) error {
	return d.Write(ctx, func(tx *Tx) error {
		_, err := tx.Exec("UPDATE schema_version SET applied = applied WHERE version = 1")
		return err
	})
}

// Changed reports whether another process has written since the last call;
// the first call of all reports true. It costs some microseconds, and less while
// nobody writes.
func (d *DB) Changed(ctx context.Context) (bool, error) {
	now := d.logNow()
	if now.same(d.log.Load()) {
		return false, nil
	}
	if err := d.turn(ctx); err != nil {
		return false, err
	}
	defer d.yield()
	d.log.Store(now)
	mode := d.mode
	if mode == "" {
		mode = normalMode
	}
	c, err := d.writer(mode)
	if err != nil {
		return false, explain(d.path, err)
	}
	// The writer's own commits do not count, and nobody else here writes.
	before := d.version
	tx := Tx{c}
	err = tx.Query("PRAGMA data_version", func(r Row) error { d.version = r.Int(0); return nil })
	return d.version != before, explain(d.path, err)
}

// withdraw takes a request out of the queue; false when it is in a batch.
func (d *DB) withdraw(r *request) bool {
	d.queueMu.Lock()
	defer d.queueMu.Unlock()
	if r.taken {
		return false
	}
	for i, q := range d.queue {
		if q == r {
			d.queue = append(d.queue[:i], d.queue[i+1:]...)
			break
		}
	}
	return true
}

// turn waits until this goroutine alone may write.
func (d *DB) turn(ctx context.Context) error {
	if d.readOnly {
		return errReadOnly
	}
	select {
	case <-d.writing:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (d *DB) yield() { d.writing <- struct{}{} }

// writer gives the connection that writes, in this mode.
func (d *DB) writer(mode string) (*conn, error) {
	if d.isClosed() {
		return nil, errClosed
	}
	if d.pen == nil {
		c, err := d.connect(mode)
		if err != nil {
			return nil, err
		}
		d.pen, d.mode = c, mode
	}
	if d.mode != mode {
		if err := d.pen.run(mode); err != nil {
			return nil, err
		}
		d.mode = mode
	}
	return d.pen, nil
}

func (d *DB) isClosed() bool {
	d.idleMu.Lock()
	defer d.idleMu.Unlock()
	return d.closed
}

// batch runs the requests in one transaction and sets their errors.
func (d *DB) batch(c *conn, batch []*request) {
	failAll := func(err error) {
		for _, r := range batch {
			if r.err == nil {
				r.err = err
			}
		}
	}
	if err := c.run("BEGIN IMMEDIATE"); err != nil {
		failAll(err)
		return
	}
	whole := false
	defer func() { // also when f panics
		if !whole {
			failAll(errors.New("the transaction was given up"))
		}
		if !c.GetAutocommit() {
			_ = c.run("ROLLBACK") // what matters has failed already
		}
	}()
	kept := 0
	for _, r := range batch {
		r.err = inside(c, r.f, len(batch) > 1 && !r.one)
		if c.GetAutocommit() { // the database gave up the transaction, as it does on a full disk
			failAll(fmt.Errorf("the transaction was given up: %w", r.err))
			whole = true
			return
		}
		if r.err == nil {
			kept++
		}
	}
	whole = true
	if kept == 0 {
		return
	}
	if err := c.run("COMMIT"); err != nil {
		failAll(err)
	}
}

// inside runs f; when it may fail alone, what it did is undone alone.
func inside(c *conn, f func(*Tx) error, alone bool) error {
	if !alone {
		return f(&Tx{c})
	}
	if err := c.run("SAVEPOINT one"); err != nil {
		return err
	}
	err := f(&Tx{c})
	if err != nil && !c.GetAutocommit() {
		if undo := c.run("ROLLBACK TO one"); undo != nil {
			return errors.Join(err, undo)
		}
	}
	if !c.GetAutocommit() {
		if free := c.run("RELEASE one"); err == nil {
			err = free
		}
	}
	return err
}

package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if role := os.Getenv("STORE_TEST_ROLE"); role != "" {
		if err := child(role); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1) //nolint:forbidigo // the child of a test
		}
		return
	}
	goleak.VerifyTestMain(m)
}

func open(t testing.TB, o Options) *DB {
	t.Helper()
	d, err := Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func insert(text string) func(*Tx) error {
	return func(tx *Tx) error {
		_, err := tx.Exec("INSERT INTO events (at, pipeline, what, detail) VALUES (1, '', 'test', ?)", text)
		return err
	}
}

func count(t testing.TB, d *DB) (n int) {
	t.Helper()
	err := d.Read(context.Background(), func(tx *Tx) error {
		return tx.Query("SELECT count(*) FROM events", func(r Row) error { n = int(r.Int(0)); return nil })
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestWhatIsWrittenIsReadBack(t *testing.T) {
	t.Parallel()
	ctx, dir := context.Background(), filepath.Join(t.TempDir(), "state")
	d := open(t, Options{Dir: dir})
	if err := d.Write(ctx, insert("one")); err != nil {
		t.Fatal(err)
	}
	if err := d.Fast(ctx, insert("two")); err != nil {
		t.Fatal(err)
	}
	wrong := errors.New("wrong")
	for name, f := range map[string]func(context.Context, func(*Tx) error) error{"write": d.Write, "fast": d.Fast} {
		err := f(ctx, func(tx *Tx) error { return errors.Join(insert("three")(tx), wrong) })
		if !errors.Is(err, wrong) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	other := open(t, Options{Dir: dir, ReadOnly: true})
	if n := count(t, other); n != 2 {
		t.Errorf("got %d rows, want 2", n)
	}
	if err := other.Write(ctx, insert("four")); err == nil {
		t.Error("a database opened for reading was written")
	}
	if err := d.Read(ctx, insert("five")); err == nil {
		t.Error("a read wrote")
	}
}

// TestOnlyWeMayRead holds that the files beside the database are as private as
// it is.
func TestOnlyWeMayRead(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "state")
	d := open(t, Options{Dir: dir})
	if err := d.Write(context.Background(), insert("one")); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) < 4 { // the database, its lock, its log and what is shared
		t.Fatal(files, err)
	}
	for _, f := range files {
		if info, err := f.Info(); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", f.Name(), info.Mode(), err)
		}
	}
}

func TestValuesComeBackAsTheyWent(t *testing.T) {
	t.Parallel()
	d := open(t, Options{Dir: t.TempDir()})
	err := d.Read(context.Background(), func(tx *Tx) error {
		return tx.Query("SELECT ?, ?, ?, ?, ?, ?", func(r Row) error {
			if r.Int(0) != -5 || r.Int(1) != 1<<60 || r.Text(2) != "a\x00ü" || string(r.Bytes(3)) != "\xff\x00" || !r.Null(4) || !r.Bool(5) {
				return errors.New("they do not")
			}
			return nil
		}, -5, int64(1<<60), "a\x00ü", []byte("\xff\x00"), nil, true)
	})
	if err != nil {
		t.Error(err)
	}
}

func TestAMissingDatabaseReadsAsEmpty(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "none")
	d := open(t, Options{Dir: dir, ReadOnly: true})
	called := false
	if err := d.Read(context.Background(), func(*Tx) error { called = true; return nil }); err != nil || called {
		t.Errorf("got %v, called %v", err, called)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("reading made the directory: %v", err)
	}
}

func TestANewerDatabaseIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d := open(t, Options{Dir: dir})
	if err := d.Write(context.Background(), func(tx *Tx) error {
		_, err := tx.Exec("INSERT INTO schema_version VALUES (99, 0)")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(context.Background(), Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "newer") {
		t.Errorf("got %v", err)
	}
}

// TestStepsSideBySideShareACommit holds what makes many short steps cheap, and
// that one of them may fail without the others.
func TestStepsSideBySideShareACommit(t *testing.T) {
	t.Parallel()
	ctx, d := context.Background(), open(t, Options{Dir: t.TempDir()})
	if err := d.Fast(ctx, insert("first")); err != nil {
		t.Fatal(err)
	}
	commits := 0
	d.pen.WALHook(func(*sqlite3.Conn, string, int) error { commits++; return nil })
	wrong := errors.New("wrong")
	const writers = 40
	errs := make([]error, writers)
	var wg sync.WaitGroup
	<-d.writing // as if a commit were going on
	for i := range writers {
		wg.Go(func() {
			errs[i] = d.Fast(ctx, func(tx *Tx) error {
				err := insert("row")(tx)
				if i%4 == 0 {
					return wrong
				}
				return err
			})
		})
	}
	for d.waiting() < writers {
		<-time.After(time.Millisecond)
	}
	d.writing <- struct{}{}
	wg.Wait()
	for i, err := range errs {
		if failed := errors.Is(err, wrong); failed != (i%4 == 0) {
			t.Errorf("writer %d: %v", i, err)
		}
	}
	if n := count(t, d); n != 1+writers*3/4 {
		t.Errorf("%d rows, want %d", n, 1+writers*3/4)
	}
	if commits != 1 {
		t.Errorf("%d commits, want 1", commits)
	}
}

func (d *DB) waiting() int {
	d.queueMu.Lock()
	defer d.queueMu.Unlock()
	return len(d.queue)
}

func TestWhoGivesUpWaitingWritesNothing(t *testing.T) {
	t.Parallel()
	d := open(t, Options{Dir: t.TempDir()})
	<-d.writing
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for _, f := range []func(context.Context, func(*Tx) error) error{d.Write, d.Fast} {
		if err := f(ctx, insert("late")); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	}
	d.writing <- struct{}{}
	if err := d.Fast(context.Background(), insert("next")); err != nil {
		t.Fatal(err)
	}
	if n := count(t, d); n != 1 {
		t.Errorf("%d rows, want 1", n)
	}
}

// TestAPanicLeavesTheDatabaseUsable holds that a fault of the caller neither
// keeps the lock nor half a transaction.
func TestAPanicLeavesTheDatabaseUsable(t *testing.T) {
	t.Parallel()
	d := open(t, Options{Dir: t.TempDir()})
	for _, f := range []func(context.Context, func(*Tx) error) error{d.Write, d.Fast} {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic was lost")
				}
			}()
			_ = f(context.Background(), func(tx *Tx) error { _ = insert("half")(tx); panic("x") })
		}()
		if err := f(context.Background(), insert("whole")); err != nil {
			t.Error(err)
		}
	}
	if n := count(t, d); n != 2 {
		t.Errorf("%d rows, want 2", n)
	}
}

func TestAReadEndsWithItsContext(t *testing.T) {
	t.Parallel()
	d := open(t, Options{Dir: t.TempDir()})
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	err := d.Read(ctx, func(tx *Tx) error {
		return tx.Query("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT count(*) FROM n", func(Row) error { return nil })
	})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if n := count(t, d); n != 0 {
		t.Error("the connection is not usable any more")
	}
}

// TestReadersDoNotWait holds that a reader goes on, over the state it began
// with, while a write is in progress.
func TestReadersDoNotWait(t *testing.T) {
	t.Parallel()
	ctx, d := context.Background(), open(t, Options{Dir: t.TempDir()})
	err := d.Write(ctx, func(tx *Tx) error {
		if err := insert("unseen")(tx); err != nil {
			return err
		}
		if n := count(t, d); n != 0 {
			return fmt.Errorf("%d rows seen of a transaction in progress", n)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := count(t, d); n != 1 {
		t.Errorf("%d rows, want 1", n)
	}
}

func BenchmarkOpenAndReadExisting(b *testing.B) {
	dir := b.TempDir()
	d := open(b, Options{Dir: dir})
	if err := d.Fast(context.Background(), insert("x")); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		r, err := Open(context.Background(), Options{Dir: dir, ReadOnly: true})
		if err != nil {
			b.Fatal(err)
		}
		count(b, r)
		r.Close()
	}
}

func BenchmarkOpenAndWriteExisting(b *testing.B) {
	dir := b.TempDir()
	open(b, Options{Dir: dir})
	for b.Loop() {
		w, err := Open(context.Background(), Options{Dir: dir})
		if err != nil {
			b.Fatal(err)
		}
		if err := w.Write(context.Background(), insert("x")); err != nil {
			b.Fatal(err)
		}
		w.Close()
	}
}

func BenchmarkFast(b *testing.B) {
	d := open(b, Options{Dir: b.TempDir()})
	f := insert("some text of a usual length")
	for b.Loop() {
		if err := d.Fast(context.Background(), f); err != nil {
			b.Fatal(err)
		}
	}
}

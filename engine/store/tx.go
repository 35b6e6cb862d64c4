package store

import (
	"fmt"

	"github.com/ncruces/go-sqlite3"
)

// Tx is one transaction. It must not be used after the function it was given
// to has returned, nor by two goroutines at once.
type Tx struct{ c *conn }

// Exec runs a statement and gives how many rows it changed. Arguments are
// nil, bool, int, int64, string or []byte; they replace the ? in order.
func (t *Tx) Exec(query string, args ...any) (int64, error) {
	s, done, err := t.c.prepare(query)
	if err != nil {
		return 0, err
	}
	defer done()
	if err := bind(s, args); err != nil {
		return 0, err
	}
	if err := s.Exec(); err != nil {
		return 0, err
	}
	return t.c.Changes(), nil
}

// Query calls each with the rows of a result, in order, until it fails.
func (t *Tx) Query(query string, each func(Row) error, args ...any) error {
	s, done, err := t.c.prepare(query)
	if err != nil {
		return err
	}
	defer done()
	if err := bind(s, args); err != nil {
		return err
	}
	for s.Step() {
		if err := each(Row{s}); err != nil {
			return err
		}
	}
	return s.Err()
}

// A database gives room back when at least so many pages, and a quarter of all,
// are free; shrinkPages at a time. What is less is used again before long.
const (
	freePages   = 256
	shrinkPages = 64
)

// Shrink gives some room that nothing uses back to the disk, when there is much
// of it, and reports whether there may be more to give.
func (t *Tx) Shrink() (more bool, err error) {
	free, all, err := t.pages()
	if err != nil || free < freePages || free < all/4 {
		return false, err
	}
	if _, err := t.Exec(fmt.Sprintf("PRAGMA incremental_vacuum(%d)", shrinkPages)); err != nil {
		return false, err
	}
	left, _, err := t.pages()
	return left < free, err // a database of an older version keeps its room
}

// pages counts those that are free, and all.
func (t *Tx) pages() (free, all int64, err error) {
	err = t.Query("SELECT freelist_count, page_count FROM pragma_freelist_count, pragma_page_count", func(r Row) error {
		free, all = r.Int(0), r.Int(1)
		return nil
	})
	return free, all, err
}

func bind(s *sqlite3.Stmt, args []any) error {
	for i, a := range args {
		var err error
		switch a := a.(type) {
		case nil:
			err = s.BindNull(i + 1)
		case bool:
			err = s.BindBool(i+1, a)
		case int:
			err = s.BindInt64(i+1, int64(a))
		case int64:
			err = s.BindInt64(i+1, a)
		case string:
			err = s.BindText(i+1, a)
		case []byte:
			err = s.BindBlob(i+1, a)
		default:
			err = fmt.Errorf("argument %d is a %T", i+1, a)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Row is one row of a result; its values are read by their position, and a
// null reads as the zero value. It is valid until the next row.
type Row struct{ s *sqlite3.Stmt }

// Int gives a value as an integer.
func (r Row) Int(i int) int64 { return r.s.ColumnInt64(i) }

// Bool gives a value as a truth.
func (r Row) Bool(i int) bool { return r.s.ColumnInt64(i) != 0 }

// Text gives a value as a string.
func (r Row) Text(i int) string { return r.s.ColumnText(i) }

// Bytes gives a value as bytes of their own.
func (r Row) Bytes(i int) []byte { return r.s.ColumnBlob(i, nil) }

// Null reports whether a value is absent.
func (r Row) Null(i int) bool { return r.s.ColumnType(i) == sqlite3.NULL }

package store_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/redundctl/redundctl/engine/store"
)

// TestRoomIsGivenBack fills a database, removes what it holds, and looks how
// large its file is.
func TestRoomIsGivenBack(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "state")
	size := func() int64 {
		info, err := os.Stat(filepath.Join(dir, "redund.db"))
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	change := func(statement string, shrink bool) (portions int) {
		db, err := store.Open(context.Background(), store.Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		err = db.Write(context.Background(), func(tx *store.Tx) error {
			_, err := tx.Exec(statement)
			return err
		})
		for more := shrink; more && err == nil; portions++ {
			err = db.Fast(context.Background(), func(tx *store.Tx) (err error) {
				more, err = tx.Shrink()
				return err
			})
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		return portions
	}
	change(`INSERT INTO events (at, pipeline, what, detail) SELECT value, '', 'x', hex(zeroblob(2000)) FROM generate_series(1, 2000)`, true)
	full := size()
	if n := change("DELETE FROM events WHERE id % 40 = 0", true); n != 1 || size() < full*9/10 {
		t.Errorf("little is free: %d portions, %d of %d bytes", n, size(), full)
	}
	if n := change("DELETE FROM events", true); n < 5 || size() > full/3 {
		t.Errorf("all is free: %d portions, %d of %d bytes", n, size(), full)
	}
}

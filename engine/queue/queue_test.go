package queue_test

import (
	"context"
	"errors"
	"testing"

	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/queue/queuetest"
	"github.com/redundctl/redundctl/engine/store"
)

func open(t testing.TB, dir string) *history.History {
	t.Helper()
	db, err := store.Open(context.Background(), store.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	h := history.New(db)
	t.Cleanup(func() {
		if err := errors.Join(h.Close(), db.Close()); err != nil {
			t.Error(err)
		}
	})
	return h
}

func TestSQLite(t *testing.T) {
	t.Parallel()
	queuetest.Exercise(t, func(t *testing.T, place string) *history.History { return open(t, place) })
}

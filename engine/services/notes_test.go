package services

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine/failover/takeover"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/services/kept"
	"github.com/redundctl/redundctl/engine/store"
)

// TestStatesOutlastManyNotes: on a full disk the oldest events go, but never the
// newest state of a service, and never a newer one for an older one.
func TestStatesOutlastManyNotes(t *testing.T) {
	t.Parallel()
	db, err := store.Open(t.Context(), store.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	full := true
	var told []string
	rows := kept.New(db, "a")
	s := New(Options{Rows: rows, Failed: func(error) {}, Event: func(_ context.Context, e pipeline.Event) error {
		if full {
			return errors.New("the disk is full")
		}
		told = append(told, e.Detail)
		return nil
	}})
	if err := rows.Save(t.Context(), "pm2/gone", &takeover.State{Known: true}); err != nil {
		t.Fatal(err)
	}
	s.leave(note{event: pipeline.Event{What: "takeover"}})
	for _, phase := range []takeover.Phase{takeover.Ours, takeover.Yielding, takeover.Ours} {
		s.leave(note{keep: "pm2/a", state: &keptState{Phase: phase, Since: time.Unix(7, 0)}})
	}
	s.leave(note{keep: "pm2/gone", state: &keptState{}})
	s.leave(note{keep: "pm2/gone"})
	for n := range 2 * mostNotes {
		s.leave(note{event: pipeline.Event{What: "restarted", Detail: fmt.Sprint(n)}})
	}
	if s.write(t.Context()) {
		t.Error("all was written to a full disk")
	}
	full = false
	if !s.write(t.Context()) {
		t.Error("not all could be written")
	}
	got, err := rows.Load(t.Context())
	if err != nil || len(got) != 1 || got["pm2/a"].Phase != takeover.Ours || got["pm2/a"].Since.Unix() != 7 {
		t.Errorf("%+v, %v", got, err)
	}
	if n := len(told); n != mostNotes || told[n-1] != fmt.Sprint(2*mostNotes-1) {
		t.Errorf("%d events, the last one %v", n, told[max(n-1, 0):])
	}
}

package engine_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/ledger"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/store"
)

// slow is a primary that takes being asked to run, and does not answer.
type slow struct {
	looks atomic.Int32
	asked chan struct{}
	once  sync.Once
	again atomic.Bool
}

func (s *slow) Probe(context.Context, pipeline.Window) (pipeline.Reading, error) {
	s.looks.Add(1)
	return pipeline.Reading{Verdict: pipeline.Nothing}, nil
}

func (s *slow) Dispatch(ctx context.Context, _ pipeline.Window) (pipeline.Reading, error) {
	first := false
	s.once.Do(func() { first = true; close(s.asked) })
	s.again.Store(!first)
	<-ctx.Done()
	return pipeline.Reading{}, ctx.Err()
}

func (s *slow) kinds() *kind.Set {
	return standIns(func(kind.PrimaryDeps) pipeline.Probe { return s }, nil)
}

// slotOf reads a slot beside the engine.
func slotOf(t *testing.T, p *config.Project, at time.Time) ledger.Slot {
	t.Helper()
	db, err := store.Open(t.Context(), store.Options{Dir: p.State, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	s, ok, err := ledger.New(db).Slot(t.Context(), "pm2", "a", at)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	return s
}

// TestAskedToRunOnce holds that an engine which ends while a primary is asked to
// run, killed or stopped, leaves that it was asked, and not that it refused: it
// may have taken it, so that the next engine waits for its run.
func TestAskedToRunOnce(t *testing.T) {
	t.Parallel()
	s := &slow{asked: make(chan struct{})}
	files := backup(", recover: dispatch")
	seldom(files)
	p := project(t, files)
	at := time.Now().UTC().Truncate(time.Minute).Add(-time.Hour)
	leaveOpen(t, p, ledger.Slot{System: "pm2", Name: "a", At: at, Next: at.Add(24 * time.Hour)})
	_, end := serveOnly(t, p, s.kinds())
	<-s.asked
	if slotOf(t, p, at).Asked.IsZero() {
		t.Error("an engine that is killed now leaves nothing of it")
	}
	if err := end(); err != nil {
		t.Error(err)
	}
	if is := slotOf(t, p, at); is.Asked.IsZero() || is.Refused || is.Decision != "" {
		t.Errorf("%+v", is)
	}
	n := s.looks.Load()
	p = load(t.Context(), t.Fatalf, p.Root)
	_, end = serveOnly(t, p, s.kinds())
	until(t, "looks of the next engine", func() bool { return s.looks.Load() > n+2 })
	if err := end(); err != nil {
		t.Error(err)
	}
	if s.again.Load() || len(runs(t, p)) > 0 {
		t.Errorf("asked again: %t, runs %+v", s.again.Load(), runs(t, p))
	}
}

package engine_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine"
	"github.com/redundctl/redundctl/engine/builtin"
	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/overdue"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/store"
)

// TestStopIsNotHeldUp holds that an engine ends in bounded time whatever a step
// does, and leaves its run as a crash would.
func TestStopIsNotHeldUp(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	kinds := builtin.Kinds()
	kinds.Actions = append(kinds.Actions, kind.Define("deaf", []byte(`{"type": "object", "additionalProperties": false}`),
		func(struct{}, kind.Deps) (pipeline.Action, error) { return &deaf{release}, nil }))
	p := project(t, map[string]string{"pipelines/pm2/b.yaml": "version: 1\nname: b\nsteps: [{exec: [\"true\"]}]\n"})
	save(t, p, "pipelines/pm2/a.yaml", "version: 1\nname: a\nsystem: pm2\nsteps: [{uses: deaf}]\n")
	p = config.Load(t.Context(), config.Options{Dir: p.Root, Kinds: kinds})
	ready, ended := make(chan struct{}), make(chan error, 1)
	e, err := engine.New(t.Context(), engine.Options{
		Project: p, Kinds: kinds, Environ: environ(t), Serve: engine.Serve{Ready: func() { close(ready) }, Drain: time.Millisecond},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() { ended <- e.Run(ctx) }()
	<-ready
	r, err := e.Trigger(ctx, "a", "a test", engine.RunRequest{})
	if err != nil {
		t.Fatal(err)
	}
	until(t, "the run", func() bool { return runs(t, p)[0].State == pipeline.Running })
	cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(overdue.Grace + 10*time.Second):
		t.Error("the engine does not end")
		close(release)
		release = nil
		<-ended
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	if release != nil {
		close(release)
	}
	next, err := engine.New(t.Context(), engine.Options{Project: p, Kinds: kinds, Environ: environ(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	if l := runs(t, p)[0]; l.ID != r.ID || l.State != pipeline.Failed || !strings.HasPrefix(l.Error, "interrupted") {
		t.Errorf("%+v", l)
	}
}

// TestTheEndIsWrittenInTheEnd holds that the end of an engine's run, also of one
// that was cancelled, is written once it can be, whatever kept it from that.
func TestTheEndIsWrittenInTheEnd(t *testing.T) {
	t.Parallel()
	p := project(t, map[string]string{
		"pipelines/pm2/a.yaml":    "version: 1\nname: a\nsystem: pm2\nsteps: [{exec: [\"true\"]}]\n",
		"pipelines/pm2/long.yaml": "version: 1\nname: long\nsystem: pm2\nsteps: [{exec: [sleep, \"1000\"]}]\n",
	})
	e := serve(t, p)
	db, err := store.Open(t.Context(), store.Options{Dir: p.State})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	do := func(sql string) {
		if err := db.Write(t.Context(), func(tx *store.Tx) error { _, err := tx.Exec(sql); return err }); err != nil {
			t.Fatal(err)
		}
	}
	do("CREATE TRIGGER never BEFORE UPDATE ON runs WHEN NEW.state IN ('succeeded', 'cancelled') BEGIN SELECT RAISE(ABORT, 'not now'); END")
	for _, name := range []string{"a", "long"} {
		if _, err := e.Trigger(t.Context(), name, "a test", engine.RunRequest{}); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "the long run", func() bool { return runs(t, p)[0].State == pipeline.Running })
	if _, err := e.Cancel(t.Context(), runs(t, p)[0].ID, "a test"); err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(p.State, "logs", "engine.log")
	until(t, "two ends that wait", func() bool {
		text, err := os.ReadFile(log)
		return err == nil && strings.Contains(string(text), "the end of run 1 is kept") && strings.Contains(string(text), "the end of run 2 is kept")
	})
	do("DROP TRIGGER never")
	until(t, "both ends", func() bool {
		l := runs(t, p)
		return l[0].State == pipeline.Cancelled && l[1].State == pipeline.Succeeded
	})
}

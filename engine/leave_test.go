package engine_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine"
	"github.com/redundctl/redundctl/engine/builtin"
	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/overdue"
	"github.com/redundctl/redundctl/engine/pipeline"
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

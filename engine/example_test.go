package engine_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/redundctl/redundctl/engine"
	"github.com/redundctl/redundctl/engine/builtin"
	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/kind"
)

// demonstration writes a project of one pipeline and reads it.
func demonstration(ctx context.Context) (dir string, kinds *kind.Set, p *config.Project) {
	dir, err := os.MkdirTemp("", "example-")
	if err != nil {
		panic(err)
	}
	file := filepath.Join(dir, "pipelines", "pm2", "warm-cache.yaml")
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		panic(err)
	}
	text := "version: 1\nname: warm-cache\nparams: {page: {type: string, default: /}}\nsteps: [{exec: [test, '${{ params.page }}', '=', /]}]\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		panic(err)
	}
	kinds = builtin.Kinds()
	p = config.Load(ctx, config.Options{Dir: dir, Kinds: kinds})
	return dir, kinds, p
}

// A pipeline is run once, and what came of it is read.
func ExampleEngine_RunNow() {
	ctx := context.Background()
	dir, kinds, p := demonstration(ctx)
	defer os.RemoveAll(dir)
	e, err := engine.New(ctx, engine.Options{Project: p, Kinds: kinds, Environ: os.Environ()})
	if err != nil {
		panic(err)
	}
	defer e.Close()
	r, err := e.RunNow(ctx, engine.RunRequest{Pipeline: p.Pipelines[0]})
	if err != nil {
		panic(err)
	}
	fmt.Println(r.Run.State)
	r, err = e.RunNow(ctx, engine.RunRequest{Pipeline: p.Pipelines[0], Params: map[string]string{"page": "/about"}})
	if err != nil {
		panic(err)
	}
	fmt.Println(r.Run.State, r.Steps[0].Error)
	// Output:
	// succeeded
	// failed exit code 1
}

// What a run would do is said without doing it.
func ExamplePlan() {
	ctx := context.Background()
	dir, kinds, p := demonstration(ctx)
	defer os.RemoveAll(dir)
	plan, err := engine.Plan(ctx, engine.Options{Project: p, Kinds: kinds, Environ: os.Environ()}, engine.RunRequest{Pipeline: p.Pipelines[0]})
	if err != nil {
		panic(err)
	}
	fmt.Println(plan.Steps[0].Effects[0])
	// Output: runs test / = /
}

// An engine serves until its context is done; meanwhile it is asked and told
// from other goroutines.
func ExampleEngine_Run() {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	dir, kinds, p := demonstration(ctx)
	defer os.RemoveAll(dir)
	ready := make(chan struct{})
	e, err := engine.New(ctx, engine.Options{
		Project: p, Kinds: kinds, Environ: os.Environ(),
		Serve: engine.Serve{
			Load: func(ctx context.Context, before *config.Project, c config.Change) (*config.Project, *kind.Set) {
				return before.Again(ctx, c), kinds
			},
			Drain: 5 * time.Second,
			Ready: func() { close(ready) },
		},
	})
	if err != nil {
		panic(err)
	}
	defer e.Close()
	ended := make(chan error)
	go func() { ended <- e.Run(ctx) }()
	<-ready

	run, err := e.Trigger(ctx, "warm-cache", "the example", engine.RunRequest{})
	fmt.Println(run.State, err)
	fmt.Println(e.StopSystem(ctx, "pm2", "the example"))
	s, err := e.Status(ctx)
	for _, x := range s.Systems {
		fmt.Println(x.Name, x.State, err)
	}
	fmt.Println(e.RestartSystem(ctx, "pm2", "the example"))
	h, err := e.CheckHealth(ctx)
	fmt.Println(h.Status, err)

	stop()
	fmt.Println(<-ended)
	// Output:
	// queued <nil>
	// <nil>
	// github-actions running <nil>
	// netlify-functions running <nil>
	// pm2 stopped <nil>
	// <nil>
	// healthy <nil>
	// <nil>
}

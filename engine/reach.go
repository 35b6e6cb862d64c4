package engine

import (
	"context"
	"io"
	"time"

	"github.com/redundctl/redundctl/engine/api"
	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/force"
	"github.com/redundctl/redundctl/engine/loaded"
	"github.com/redundctl/redundctl/engine/status"
)

// Project is the project that was loaded last and is good.
func (e *Engine) Project() *config.Project { return e.current.Load().Project }

// Records are what the engine recorded. They end with the engine and must not
// be closed.
func (e *Engine) Records() *History {
	return &History{History: e.history, Ledger: e.ledger, Logs: e.logs, db: e.db}
}

// Token is server.token of redund.yaml after its expressions, "" when there is
// none.
func (e *Engine) Token() (string, error) { return loaded.Token(e.Project(), e.host) }

// List gives the pipelines in force; none while the engine does not serve.
func (e *Engine) List() []api.Listed {
	if s := e.serving.Load(); s != nil {
		return status.List(s.now(), time.Now())
	}
	return []api.Listed{}
}

// Gauges is what an engine that serves can say of itself at no cost.
type Gauges struct {
	Generation int64
	Loaded     int // pipelines in force
	Rejected   int // files
	Waiting    int // runs
	Oldest     time.Time
}

// Gauges says it; ok is false while the engine does not serve.
func (e *Engine) Gauges() (g Gauges, ok bool) {
	s := e.serving.Load()
	if s == nil {
		return g, false
	}
	f := s.now()
	files := map[string]bool{}
	for _, x := range f.Rejected {
		files[x.File] = true
	}
	g = Gauges{Generation: f.Generation, Loaded: len(f.Parts), Rejected: len(files)}
	g.Waiting, g.Oldest = s.queue.Waiting()
	return g, true
}

// WriteMetrics writes what the engine counted, as Prometheus reads it.
func (e *Engine) WriteMetrics(w io.Writer) {
	e.meter.Write(w)
	if s := e.serving.Load(); s != nil {
		s.kept.WriteMetrics(w)
	}
}

// Changes says what the files on disk would change in what is in force.
func (e *Engine) Changes(ctx context.Context) (api.Plan, error) {
	s := e.serving.Load()
	if s == nil {
		return api.Plan{}, NotServing
	}
	before := s.now()
	if s.o.Serve.Load == nil {
		return status.Plan(force.Difference{}, before.Rejected), nil
	}
	end, err := s.takeTurn(ctx)
	if err != nil {
		return api.Plan{}, err
	}
	defer end()
	f, err := s.load(ctx, before, config.Change{Outside: true})
	if err != nil {
		return api.Plan{}, err
	}
	return status.Plan(f.Compare(before), f.Rejected), nil
}

package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/redundctl/redundctl/engine/api"
	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/force"
	"github.com/redundctl/redundctl/engine/health"
	"github.com/redundctl/redundctl/engine/loaded"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/schedule"
	"github.com/redundctl/redundctl/engine/status"
)

// Project is the project that was loaded last and is good.
func (e *Engine) Project() *config.Project { return e.current.Load().Project }

// Records are what the engine recorded. They end with the engine and must not
// be closed.
func (e *Engine) Records() *History { return &History{History: e.history, Logs: e.logs, db: e.db} }

// Token is server.token of redund.yaml after its expressions, "" when there is
// none.
func (e *Engine) Token() (string, error) {
	p := e.Project()
	if p.Config.Server.Token == "" {
		return "", nil
	}
	token, _, err := loaded.Resolve(p, e.host, p.Config.Server.Token)
	if err == nil && token == "" {
		err = errors.New("it is empty: set the secret that it names, or remove the key to have a token made")
	}
	if err != nil {
		return "", fmt.Errorf("server.token: %w", err)
	}
	return token, nil
}

// List gives the pipelines in force; none while the engine does not serve.
func (e *Engine) List() []api.Listed {
	out := []api.Listed{}
	s := e.serving.Load()
	if s == nil {
		return out
	}
	f, now := s.now(), time.Now()
	for _, id := range slices.Sorted(maps.Keys(f.Parts)) {
		p := f.Parts[id]
		next := time.Time{}
		if p.Pipeline.Enabled {
			next, _ = schedule.Next(p.Schedules, now)
		}
		out = append(out, api.List(p.Pipeline, next))
	}
	return out
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
func (e *Engine) WriteMetrics(w io.Writer) { e.meter.Write(w) }

// recentMiss is how long slots that passed unserved count.
const recentMiss = 24 * time.Hour

// Status says what the engine does now; NotServing when it does not serve.
func (e *Engine) Status(ctx context.Context) (api.Status, error) {
	s := e.serving.Load()
	if s == nil {
		return api.Status{}, NotServing
	}
	f := s.now()
	active, err := s.history.ActiveRuns(ctx)
	if err != nil {
		return api.Status{}, err
	}
	last, err := s.history.LastRuns(ctx)
	if err != nil {
		return api.Status{}, err
	}
	host, _ := os.Hostname() // "" where the system does not say
	return status.Of(&status.Facts{
		Now: time.Now(), Force: f, Systems: f.Systems(*s.how()), Stopped: s.stopped(), Active: active, Last: last,
		Health: s.health(ctx, f, last), Restart: f.Restart(s.o.Project),
		Engine: api.EngineInfo{
			Version: s.o.Serve.Version, PID: os.Getpid(), Started: api.When(s.started), Environment: api.Present(f.Set.Project.Config.Environment), Host: host,
		},
	}), nil
}

// Health checks the engine and its systems now; NotServing when it does not
// serve.
func (e *Engine) Health(ctx context.Context) (api.Health, error) {
	s := e.serving.Load()
	if s == nil {
		return api.Health{}, NotServing
	}
	last, err := s.history.LastRuns(ctx)
	if err != nil {
		return api.Health{}, err
	}
	return s.health(ctx, s.now(), last), nil
}

// health gathers what the verdict is made of.
func (s *server) health(ctx context.Context, f *force.Force, last map[string]pipeline.Run) api.Health {
	x := health.Facts{Now: time.Now(), Failing: s.failing(), Logs: s.logs.Failing()}
	x.Waiting, x.Oldest = s.queue.Waiting()
	s.mu.Lock()
	x.Jump = s.jumped
	s.mu.Unlock()
	var fs unix.Statfs_t
	if err := unix.Statfs(f.Set.Project.State, &fs); err == nil {
		free := fs.Bavail * uint64(fs.Bsize)
		x.Free = &free
	}
	missed, err := s.history.Missed(ctx, x.Now.Add(-recentMiss))
	x.Unread = err
	since := map[string]time.Time{}
	for _, a := range s.queue.Active() {
		if t, ok := since[a.Pipeline]; !ok || a.Since.Before(t) {
			since[a.Pipeline] = a.Since
		}
	}
	names := f.Systems(*s.how())
	rejected, at := f.RejectedOf(names), map[string]int{}
	for i, name := range names {
		at[name] = i
		x.Systems = append(x.Systems, health.System{Name: name, Missed: missed[name], Rejected: rejected[name]})
	}
	for _, id := range slices.Sorted(maps.Keys(f.Parts)) {
		p := f.Parts[id]
		i, ok := at[p.Pipeline.System]
		if !ok || f.Halted(p, nil) == "disabled" {
			continue
		}
		y := health.Pipeline{ID: id, Since: since[id], Timeout: p.Pipeline.Timeout.Std()}
		if l, ok := last[id]; ok {
			y.Last = &l
		}
		x.Systems[i].Pipelines = append(x.Systems[i].Pipelines, y)
	}
	return health.Of(&x)
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
	f, err := s.load(ctx, before)
	if err != nil {
		return api.Plan{}, err
	}
	return status.Plan(f.Compare(before), f.Rejected), nil
}

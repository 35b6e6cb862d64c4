// Package services keeps the services of an engine: those that always run, and
// those in standby, whose primaries it looks at. What runs is decided by
// failover/takeover and kept running by supervise; here they meet.
//
// Start with Services: Apply says what is in force, Run does the work.
// standby.go looks at primaries, program.go makes processes, notes.go leaves
// traces, shown.go is for those who ask.
package services

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redundctl/redundctl/engine/force"
	"github.com/redundctl/redundctl/engine/logs"
	"github.com/redundctl/redundctl/engine/outbox"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/probes"
	"github.com/redundctl/redundctl/engine/schedule"
	"github.com/redundctl/redundctl/engine/secret"
	"github.com/redundctl/redundctl/engine/services/kept"
	"github.com/redundctl/redundctl/engine/supervise"
)

// again is when what failed is tried again.
const again = 5 * time.Second

// Options are what services work with. All must be set.
type Options struct {
	Host func(name string) (string, bool) // the environment of the engine
	Logs *logs.Dir
	Temp string // the directory of this process, outside the state directory
	Log  *slog.Logger
	Rows *kept.Rows
	// End ends what a dead engine of that name left running.
	End func(engine string) error
	// Event records what happened; it is tried again until it can be.
	Event func(ctx context.Context, e pipeline.Event) error
	// Raise tells people of what lasts, Settle that it is over.
	Raise  func(ctx context.Context, c outbox.Condition)
	Settle func(ctx context.Context, key, text string)
	// Changed is told that a service does otherwise than before.
	Changed func()
	// Failed is told why something could not be recorded, and nil when it could.
	Failed func(error)

	Probing probes.Options // what probes work with
}

// Services are those of one engine. It may be used from several goroutines.
type Services struct {
	o     Options
	sup   *supervise.Supervisor
	zones schedule.Zones
	notes notes
	slots chan struct{} // one element for each look that goes on
	news  chan struct{} // holds one token: something else is in force

	mu      sync.Mutex
	force   *force.Force
	stopped map[string]time.Time
	open    bool // what others left has been ended: ours may start
	ctx     context.Context
	looking sync.WaitGroup
	watched map[string]*watched          // by id: those whose primary is looked at
	applied map[string]supervise.Wanted  // by id: as they were applied last
	broken  map[string]string            // by id: why they cannot be started
	restore map[string]keptState         // by id: what an earlier engine knew
	bound   map[string]*pipeline.Service // by id: whose limits hold
}

// looks is how many primaries are looked at side by side.
const looks = 64

// New makes the services of an engine; nothing runs before Run.
func New(o Options) *Services {
	s := &Services{
		o: o, slots: make(chan struct{}, looks), news: make(chan struct{}, 1), watched: map[string]*watched{}, applied: map[string]supervise.Wanted{},
		broken: map[string]string{}, bound: map[string]*pipeline.Service{}, notes: notes{wake: make(chan struct{}, 1), states: map[string]*keptState{}},
	}
	s.sup = supervise.New(supervise.Options{Told: s.happened, Log: o.Log})
	return s
}

// Apply says what is in force, and which systems and pipelines were stopped by
// hand. What runs follows soon.
func (s *Services) Apply(f *force.Force, stopped map[string]time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.force, s.stopped = f, stopped
	s.arrange()
	select {
	case s.news <- struct{}{}:
	default:
	}
}

// Run keeps the services running until ctx is done, then stops them, each as it
// says. It returns when nothing of them runs any more. It may be called once.
func (s *Services) Run(ctx context.Context) {
	noting, end := context.WithCancel(context.WithoutCancel(ctx))
	noted := make(chan struct{})
	go func() {
		defer close(noted)
		s.note(noting)
	}()
	s.begin(ctx)
	<-ctx.Done()
	s.mu.Lock()
	s.open = false
	for _, w := range s.watched {
		w.cancel()
	}
	s.mu.Unlock()
	s.looking.Wait()
	s.sup.Close()
	end()
	<-noted
	if err := s.o.Rows.End(context.WithoutCancel(ctx)); err != nil {
		s.o.Log.Warn("that no service runs any more could not be recorded", "error", err)
	}
}

// begin ends what others left and lets ours start, as soon as that can be.
func (s *Services) begin(ctx context.Context) {
	// Also where no service is in force any more.
	if !s.until(ctx, "what services of an earlier engine left is not ended yet, and none is started", func() error { return s.o.Rows.Clear(ctx, s.o.End) }) {
		return
	}
	for !s.any() { // most projects have none: nothing is written for them
		select {
		case <-ctx.Done():
			return
		case <-s.news:
		}
	}
	var states map[string]keptState
	if !s.until(ctx, "services are not started yet", func() (err error) { states, err = s.o.Rows.Load(ctx); return err }) {
		return
	}
	// On a full disk they start all the same.
	if err := s.o.Rows.Begin(ctx); err != nil {
		defer s.until(ctx, "who keeps the services running cannot be recorded", func() error { return s.o.Rows.Begin(ctx) })
	}
	s.mu.Lock()
	s.open, s.ctx, s.restore = true, ctx, states
	s.arrange()
	s.mu.Unlock()
}

// until tries again and again until it succeeds; false: ctx was done before.
func (s *Services) until(ctx context.Context, what string, try func() error) bool {
	for told := false; ctx.Err() == nil; {
		err := try()
		if err == nil {
			return true
		}
		if ctx.Err() == nil && !told {
			told = true
			s.o.Log.Error(what+"; it is tried again until it can be", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(again):
		}
	}
	return false
}

// any reports whether a service is in force.
func (s *Services) any() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.force != nil && len(s.ids()) > 0
}

// ids are the services in force, in the order in which they start.
func (s *Services) ids() []string {
	var out []string
	for id, p := range s.force.Parts {
		if p.Pipeline.Service != nil {
			out = append(out, id)
		}
	}
	order := func(id string) int {
		return s.force.Set.Project.Config.Systems[s.force.Parts[id].Pipeline.System].Order
	}
	slices.SortFunc(out, func(a, b string) int { return cmp.Or(cmp.Compare(order(a), order(b)), strings.Compare(a, b)) })
	return out
}

// standby reports whether a part runs only while its primary is down.
func (s *Services) standby(p *force.Part) bool {
	return p.Pipeline.Primary != nil && s.force.Mode(p) == pipeline.Standby
}

// arrange makes what is looked at, and what runs, what it is to be. The caller
// holds mu.
func (s *Services) arrange() {
	if !s.open {
		return
	}
	ids := s.ids()
	s.watch(ids)
	var list []supervise.Wanted
	broken, bound := map[string]string{}, map[string]*pipeline.Service{}
	for _, id := range ids {
		p := s.force.Parts[id]
		bound[id] = p.Pipeline.Service
		if !s.runs(id, p) {
			continue
		}
		w, err := s.wanted(s.force, p, s.boundsOf(id, p.Pipeline.Service))
		if before, ok := s.applied[id]; err != nil && ok {
			// It goes on as it is: a secret that cannot be read now is no reason to stop.
			s.o.Log.Warn("what has changed of a service cannot be taken up", "pipeline", id, "error", err)
			w, err = before, nil
		}
		if err != nil {
			broken[id] = err.Error()
			if s.broken[id] == "" {
				s.leave(note{event: pipeline.Event{Pipeline: id, What: "errored", Detail: err.Error()}})
				s.o.Log.Error("a service cannot be started", "pipeline", id, "error", err)
			}
			continue
		}
		list = append(list, w)
	}
	wanted := make(map[string]supervise.Wanted, len(list))
	for _, w := range list {
		wanted[w.ID] = w
	}
	for id, x := range s.bound { // those that are about to end
		if bound[id] == nil && len(s.sup.Instances(id)) > 0 {
			bound[id] = x
		}
	}
	s.applied, s.broken, s.bound = wanted, broken, bound
	s.sup.Apply(list)
}

// runs reports whether a service is to run now. The caller holds mu.
func (s *Services) runs(id string, p *force.Part) bool {
	why := s.force.Halted(p, s.stopped)
	if !s.standby(p) {
		return why == ""
	}
	w := s.watched[id]
	return w != nil && w.state.Runs() && (why == "" || why == "observed" && w.state.Held)
}

// boundsOf gives the limits of a service that hold at the time.
func (s *Services) boundsOf(id string, x *pipeline.Service) func() pipeline.Bounds {
	return func() pipeline.Bounds {
		s.mu.Lock()
		defer s.mu.Unlock()
		now := s.bound[id]
		if now == nil {
			now = x
		}
		return pipeline.Bounds{Signal: now.Stop.Signal, Grace: now.Stop.Timeout.Std(), MemoryLimit: now.MemoryLimit, MemoryFor: memoryFor}
	}
}

// Restart restarts those services of a system, or the one of a pipeline, that
// run, and makes up for an errored past. name is "" for a whole system.
func (s *Services) Restart(system, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range s.of(system, name) {
		s.sup.Restart(id)
	}
}

// Gone waits until those that were stopped have ended, or ctx is done.
func (s *Services) Gone(ctx context.Context, system, name string) {
	s.mu.Lock()
	ids := s.of(system, name)
	s.mu.Unlock()
	for _, id := range ids {
		s.sup.Gone(ctx, id)
	}
}

// of are the services of a system, or the one of a pipeline. The caller holds mu.
func (s *Services) of(system, name string) []string {
	if s.force == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Collect(maps.Keys(s.force.Parts)), func(id string) bool {
		p := s.force.Parts[id].Pipeline
		return p.Service == nil || p.System != system || name != "" && p.Name != name
	})
}

// line is an error in one line without secrets.
func line(m *secret.Masker, err error) string {
	return strings.Join(strings.Fields(m.Mask(err.Error())), " ")
}

package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/redundctl/redundctl/engine/cleanup"
	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/drill"
	"github.com/redundctl/redundctl/engine/due"
	"github.com/redundctl/redundctl/engine/force"
	"github.com/redundctl/redundctl/engine/lock"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/primaries"
	"github.com/redundctl/redundctl/engine/queue"
	"github.com/redundctl/redundctl/engine/runner/retry"
	"github.com/redundctl/redundctl/engine/saved"
	"github.com/redundctl/redundctl/engine/schedule"
	"github.com/redundctl/redundctl/engine/services"
	"github.com/redundctl/redundctl/engine/standby"
	"github.com/redundctl/redundctl/engine/tokens"
	"github.com/redundctl/redundctl/engine/trouble"
	"github.com/redundctl/redundctl/engine/work"
)

// lookEvery is how often other processes are looked for. Each time wakes a process
// that has nothing else to do, which is most of what an idle engine costs.
const lookEvery = 250 * time.Millisecond

// againEvery is how often what failed is tried again.
const againEvery = 5 * time.Second

// server is an Engine that serves.
type server struct {
	*Engine
	started   time.Time
	timer     *schedule.Timer
	slots     *due.Slots
	standby   *standby.Watch
	primaries primaries.Primaries
	arrived   chan struct{} // of one: something else is in force
	drills    *drill.Drills
	queue     *queue.Queue
	zones     schedule.Zones
	files     saved.Files
	parts     *errgroup.Group // the goroutines
	care      care
	kept      *services.Services
	trouble   trouble.List
	loading   chan struct{} // holds a token while the files are read: one does at a time
	unread    saved.Change  // what was saved and is not in force; who loads has it, and what follows
	leaving   saved.Leaving
	again     chan time.Duration // of one: after which the files must be looked at, though nobody saves one

	mu     sync.Mutex // guards what follows
	force  *force.Force
	halts  map[string]time.Time // systems and pipelines that were stopped by hand; replaced whole
	drain  time.Duration
	jumped schedule.Jump
	probed time.Time // when it was last tried whether the history can be written
}

// Running is the error of a second engine on one state directory.
type Running struct{ PID int }

// Error says which process serves.
func (r *Running) Error() string {
	return fmt.Sprintf("an engine runs here already, as process %d: redundctl stop ends it", r.PID)
}

// Run serves: it keeps the schedules of the project until ctx is done, and takes
// up what is saved in its files. It returns when everything that it started has
// ended, but for runs that do not: those are left as a crash would leave them. A
// *Running says that another engine serves here. It may be called once.
func (e *Engine) Run(ctx context.Context) (err error) {
	held, err := lock.Take(lock.Engine(e.o.Project.State))
	if by := new(lock.Held); errors.As(err, &by) {
		return &Running{PID: by.PID}
	}
	if err != nil {
		return err
	}
	e.held = held
	s := &server{
		Engine: e, started: time.Now(), drain: e.o.Serve.Drain, loading: make(chan struct{}, 1), again: make(chan time.Duration, 1), files: saved.Files{Log: e.log},
	}
	s.timer = schedule.NewTimer(schedule.TimerOptions{})
	s.queue = queue.New(e.history, queue.Options{Start: s.start, Failed: func(err error) { s.failed("queue", err) }})
	s.standby = s.newStandby()
	s.arrived = make(chan struct{}, 1)
	s.primaries = primaries.Primaries{Force: s.now, Stopped: s.stopped, Ledger: s.ledger, Standby: s.standby, Tokens: tokens.New(e.o.Project.State), Host: e.host}
	s.slots, s.drills, s.kept = s.newSlots(), s.newDrills(), s.newServices()
	if err := s.readStopped(ctx); err != nil {
		return err
	}
	if err := s.begin(ctx); err != nil {
		return err
	}
	if err := s.newCare(ctx); err != nil {
		return err
	}
	if err := s.seeToLeft(ctx); err != nil {
		s.log.Error("runs that were interrupted could not be seen to yet", "error", err)
	}
	defer e.serving.Store(nil)
	e.serving.Store(s)
	return s.run(ctx)
}

// run keeps all parts going until ctx is done, then lets runs end.
func (s *server) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	s.parts = g
	queueing, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	g.Go(func() error {
		fire := func(list []schedule.Due) { s.slots.Take(ctx, list) }
		return ended(ctx, s.timer.Run(ctx, fire, func(j schedule.Jump) { s.jump(ctx, j) }))
	})
	if s.o.Serve.Load != nil {
		project := func() *config.Project { return s.now().Set.Project }
		g.Go(func() error { s.files.Watch(ctx, project, func(c saved.Change) { s.changed(ctx, c) }); return nil })
	}
	g.Go(func() error {
		s.history.Follow(ctx, lookEvery, func(err error) { s.failed("look", err) }, func() { s.look(ctx) })
		return nil
	})
	g.Go(func() error { s.lookAgain(ctx); return nil })
	g.Go(func() error { s.rescueOthers(ctx); return nil })
	g.Go(func() error { cleanup.Run(ctx, s.log, s.place); return nil })
	g.Go(func() error { s.care.checkup.Run(ctx); return nil })
	g.Go(func() error { s.kept.Run(ctx); return nil })
	g.Go(func() error { s.care.outbox.Run(ctx); return nil })
	g.Go(func() error { s.standby.Run(ctx); return nil })
	g.Go(func() error {
		s.primaries.MakeTokens(ctx, s.arrived, func(id string, err error) { s.log.Warn("a primary cannot call", "pipeline", id, "error", err) })
		return nil
	})
	g.Go(func() error { s.drills.Run(ctx); return nil })
	g.Go(func() error { return s.queue.Run(queueing) })
	g.Go(func() error {
		<-ctx.Done()
		stop()
		s.drainRuns()
		return nil
	})
	s.log.Info("engine started", "pid", os.Getpid(), "pipelines", len(s.now().Parts))
	if s.o.Serve.Ready != nil {
		s.o.Serve.Ready()
	}
	err := g.Wait()
	s.log.Info("engine stopped")
	return err
}

// rescueOthers ends what runs in the foreground left whose process was killed,
// and writes their end, until ctx is done.
func (s *server) rescueOthers(ctx context.Context) {
	// The children that a process was about to start when it was killed hold what
	// marks it as alive for some milliseconds more, so soon after the start it is
	// asked again.
	for wait := lookEvery; retry.Wait(ctx, wait); wait = min(4*wait, againEvery) {
		if s.trouble.Writing() != nil {
			s.probe(ctx)
		}
		if err := errors.Join(s.rescue(ctx), s.seeToLeft(ctx)); err != nil && ctx.Err() == nil {
			s.failed("rescue", err)
			continue
		}
		s.failed("rescue", nil)
	}
}

// place is what retention cleans, as the project in force says.
func (s *server) place() cleanup.Place {
	project := s.now().Set.Project
	p := cleanup.Place{State: s.o.Project.State, History: s.history, Logs: s.logs, Keep: project.Config.Retention}
	if s.o.Serve.Backups != nil {
		p.Backups = func(ctx context.Context, _ bool) ([]string, error) { return s.o.Serve.Backups(ctx, project, s.proc) }
	}
	return p
}

// drainRuns gives runs time to end, then ends them, and leaves those that do not
// heed it as a crash would. How much may change while it goes by.
func (s *server) drainRuns() {
	defer close(s.left)
	from := time.Now()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for len(s.queue.Active()) > 0 {
		s.mu.Lock()
		drain := s.drain
		s.mu.Unlock()
		if time.Since(from) >= drain {
			s.queue.CancelAll(work.Stopping)
			s.overdue.Leave(work.Stopping, func(run int64) { s.log.Warn("a run does not end and is left to the next engine", "run", run) })
			return
		}
		<-tick.C
	}
}

// ended drops the error of a part that ended because all of it ends.
func ended(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return nil
}

// now is what is in force.
func (s *server) now() *force.Force {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.force
}

// how says how what is in force is made.
func (s *server) how() *force.Options {
	return &force.Options{Only: s.o.Serve.Only, Parse: s.parse, Now: time.Now()}
}

// stopped are the systems and pipelines that were stopped by hand.
func (s *server) stopped() map[string]time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.halts
}

func (s *server) readStopped(ctx context.Context) error {
	halts, err := s.history.Stopped(ctx)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.halts = halts
	s.mu.Unlock()
	s.arrange()
	return nil
}

// failed is told when the history cannot be read or written, or the reports
// cannot, and with nil when it can be again; who tells two that try side by side
// apart.
func (s *server) failed(who string, err error) {
	what, changed := s.trouble.Set(who, err)
	if !changed {
		return
	}
	s.care.checkup.Wake()
	if err != nil {
		s.log.Error(what+"; it is tried again until that succeeds", "error", err)
	} else {
		s.log.Info("it is over that " + what)
	}
}

// look takes up what another process has asked for.
func (s *server) look(ctx context.Context) {
	s.queue.Wake()
	ids, err := s.history.CancelAsked(ctx)
	for _, id := range ids {
		s.queue.Cancel(id)
		s.going.Cancel(id)
	}
	if err = errors.Join(err, s.readStopped(ctx)); ctx.Err() == nil {
		s.failed("look", err)
	}
}

// jump is told when the clock was set or the machine slept. When it went back,
// slots that are to come lie before those given, so the schedules go on from
// what is decided; what was decided already is left alone.
func (s *server) jump(ctx context.Context, j schedule.Jump) {
	s.log.Warn("the clock jumped", "from", j.From.UTC().Format(time.RFC3339), "to", j.To.UTC().Format(time.RFC3339))
	s.mu.Lock()
	s.jumped = j
	s.mu.Unlock()
	s.care.checkup.Wake()
	s.event(ctx, pipeline.Event{What: "clock-jumped", Detail: fmt.Sprintf("from %s to %s", pipeline.Time(j.From), pipeline.Time(j.To))})
	if j.To.After(j.From) {
		return
	}
	last, err := s.history.LastSlots(ctx)
	if err != nil {
		s.log.Warn("how far the schedules had come could not be read: they go on from now", "error", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.timer.Set(s.force.Entries(last, time.Now())...) // what a save has put in force meanwhile too
}

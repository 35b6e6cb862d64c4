// Package supervise keeps the processes of services running: Apply makes the
// running set equal to the wanted one, and from then on each process is started
// again when it ends, as its service says. It never runs two of one.
//
// Start with Supervisor; keeper.go is the life of one process after the other,
// restarts.go what follows an end.
package supervise

import (
	"context"
	"io"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"sync"
	"time"

	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/schedule"
)

// The states of a service and of its instances.
const (
	Starting = "starting" // its process is not ready yet, or waits to be started again
	Running  = "running"
	Stopping = "stopping"
	Stopped  = "stopped" // it has ended, and its policy leaves it so
	Errored  = "errored" // it was started too often, or cannot be started
)

// Wanted is a service that is to run. It is not changed after it was applied.
type Wanted struct {
	ID string // system/name
	// Sees stands for all that its processes see: with another one they are
	// stopped, then started.
	Sees string
	// Form stands for its definition: another one makes up for an errored past.
	Form      string
	Instances int // 0: 1
	Restart   pipeline.Restart
	Cron      *schedule.Schedule // when it is restarted on purpose; nil: never
	// Run starts one process and returns when it, and all that it started, has
	// ended: as it does soon after ctx is done. The error says how it ended; nil:
	// with exit code 0.
	Run      func(ctx context.Context, p Process) error
	Ready    *Watch // nil: it is ready once it runs
	Liveness *Watch // nil: nobody asks
}

// Process is one process of a service.
type Process struct {
	Instance int           // from 0
	Started  func(pid int) // to be called once it runs
	Output   io.Writer     // wants to see what it writes; nil: nobody does
}

// Watch is how a process is asked how it does.
type Watch struct {
	Ask func(ctx context.Context, instance int) error // nil: its output tells
	Log *regexp.Regexp                                // of a line, in place of Ask
	// Every is the pause between two answers, 0: a short one; Timeout is how long
	// it may take to be ready, or to answer whether it lives.
	Every, Timeout time.Duration
	Failures       int // bad answers in a row that restart it
}

// Event is something that happened to an instance.
type Event struct {
	ID       string
	Instance int
	What     string // started, ready, restarted, errored or ended
	Detail   string // one line
}

// Instance is how one process does.
type Instance struct {
	State    string
	PID      int       // 0: there is none
	Since    time.Time // of the state
	Restarts int       // since it was first started, of all reasons
	Reason   string    // one line, of the last end; "": it did not end
}

// Options of a Supervisor.
type Options struct {
	// Told is told what happens, in order for each instance. It must not wait.
	Told func(Event)
	Log  *slog.Logger
}

// Supervisor keeps services running. It may be used from several goroutines.
type Supervisor struct {
	o Options

	mu      sync.Mutex
	closed  bool
	keepers map[key]*keeper
	going   sync.WaitGroup
}

// key is one instance of a service.
type key struct {
	id string
	n  int
}

// New makes a Supervisor that runs nothing; Close ends it.
func New(o Options) *Supervisor {
	if o.Told == nil {
		o.Told = func(Event) {}
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Supervisor{o: o, keepers: map[key]*keeper{}}
}

// Apply makes the running set equal to list, and does not wait for it: what is
// not in it is stopped, what is new is started in this order, and what goes on is
// restarted only where its processes see something else.
func (s *Supervisor) Apply(list []Wanted) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	wanted := map[key]bool{}
	for i := range list {
		w := &list[i]
		for n := range max(w.Instances, 1) {
			k := key{w.ID, n}
			wanted[k] = true
			if at := s.keepers[k]; at != nil {
				at.set(w)
				continue
			}
			at := newKeeper(s, k, w)
			s.keepers[k] = at
			s.going.Go(at.run)
		}
	}
	for k, at := range s.keepers {
		if !wanted[k] {
			at.set(nil)
		}
	}
}

// Restart restarts a service that runs, and makes up for an errored past. It
// reports whether there is one.
func (s *Supervisor) Restart(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := false
	for k, at := range s.keepers {
		if k.id == id && at.want != nil {
			at.again()
			found = true
		}
	}
	return found
}

// Instances gives how those of a service do, by their numbers; none: it does not
// run.
func (s *Supervisor) Instances(id string) []Instance {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Instance
	for _, k := range slices.SortedFunc(maps.Keys(s.keepers), func(a, b key) int { return a.n - b.n }) {
		if k.id == id {
			out = append(out, s.keepers[k].shown)
		}
	}
	return out
}

// Gone waits until nothing of a service runs any more that is not wanted; false:
// ctx was done before.
func (s *Supervisor) Gone(ctx context.Context, id string) bool {
	s.mu.Lock()
	var wait []chan struct{}
	for k, at := range s.keepers {
		if k.id == id && at.want == nil {
			wait = append(wait, at.done)
		}
	}
	s.mu.Unlock()
	for _, done := range wait {
		select {
		case <-done:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// Close stops all services, each as it says, and waits for their end. Nothing
// starts after it.
func (s *Supervisor) Close() {
	s.mu.Lock()
	s.closed = true
	for _, at := range s.keepers {
		at.set(nil)
	}
	s.mu.Unlock()
	s.going.Wait()
}

// Package engine joins the parts: it opens a project, runs its pipelines and
// plans them. Each part knows one thing (a step graph, a history, a process, a
// secret) and none of the others; here they meet, and nothing else happens.
//
// Start with New and Engine.RunNow, or Engine.Run to serve; package work is the
// life of one run. An engine that serves begins in serve.go: due.go decides slots,
// start.go runs what waits, reload.go takes up files, health.go looks after it,
// control.go and reach.go are for those who ask.
package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/redundctl/redundctl/engine/cancel"
	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/ledger"
	"github.com/redundctl/redundctl/engine/loaded"
	"github.com/redundctl/redundctl/engine/logging"
	"github.com/redundctl/redundctl/engine/logs"
	"github.com/redundctl/redundctl/engine/meter"
	"github.com/redundctl/redundctl/engine/overdue"
	"github.com/redundctl/redundctl/engine/probes"
	"github.com/redundctl/redundctl/engine/proc"
	"github.com/redundctl/redundctl/engine/runner"
	"github.com/redundctl/redundctl/engine/store"
	"github.com/redundctl/redundctl/engine/temp"
	"github.com/redundctl/redundctl/engine/work"
)

// Options say what an Engine works with.
type Options struct {
	Project *config.Project
	Kinds   *kind.Set
	Environ []string     // KEY=VALUE, as os.Environ gives it
	Log     *slog.Logger // nil: none; the log files are written besides
	// Level is that of Log, which then follows logs.level of the project; nil: it
	// has one of its own.
	Level  *slog.LevelVar
	Output Output // nil: none
	// Subreaper lets orphaned processes of steps come home to be ended; for
	// programs that are not embedded in others.
	Subreaper bool
	Serve     Serve // for Run
}

// Serve says how an engine serves.
type Serve struct {
	Version string
	// Load reads again what has changed since before was loaded, as Again of
	// config.Project does; nil: what is saved is not taken up.
	Load func(ctx context.Context, before *config.Project, c config.Change) (*config.Project, *kind.Set)
	// Only are the systems that are served; none: all.
	Only []string
	// Drain is how long runs that go on may take to end when the engine stops.
	Drain time.Duration
	// Environment is that which the command line names; "": none.
	Environment string
	// Backups removes the git backups that the retention of a project no longer
	// keeps, and names them; nil: they go when the next one is made.
	Backups func(context.Context, *config.Project, *proc.Spawner) ([]string, error)
	// Ready is called when every schedule is kept; nil: nobody is told.
	Ready func()
}

// Engine runs the pipelines of one project. It may be used from several
// goroutines.
type Engine struct {
	o       Options
	host    func(string) (string, bool)
	db      *store.DB // nil in a dry run, like history, logs and temp
	history *history.History
	ledger  *ledger.Ledger
	probing probes.Options // what probes work with
	logs    *logs.Dir
	temp    string
	http    *http.Client
	proc    *proc.Spawner
	log     *slog.Logger
	written *logging.Log // what log is, but in a dry run
	current atomic.Pointer[loaded.Set]
	going   cancel.Runs
	serving atomic.Pointer[server] // nil: it does not serve
	overdue overdue.Runs
	left    chan struct{} // closed when runs are left as they are
	held    io.Closer     // what keeps others from serving, until all is closed
	meter   meter.Meter
	worker  work.Worker
}

// RunRequest asks for one run.
type RunRequest = work.Ask

// UsageError is a request that cannot be right, whatever the state of the
// machine.
type UsageError = work.UsageError

// Report is one run with its steps.
type Report = work.Report

// Output shows a run as it goes on; console.Output is one.
type Output = work.Output

// New opens the project's history for writing and all that running needs, and
// cleans up after processes that died. The Engine must be closed.
func New(ctx context.Context, o Options) (_ *Engine, err error) {
	e := &Engine{o: o, host: lookup(o.Environ), log: slog.New(slog.DiscardHandler), left: make(chan struct{})}
	defer func() {
		if err != nil {
			err = errors.Join(err, e.Close())
		}
	}()
	if e.db, err = store.Open(ctx, store.Options{Dir: o.Project.State}); err != nil {
		return nil, err
	}
	e.history, e.ledger = history.New(e.db), ledger.New(e.db)
	e.probing = probes.Options{Host: e.host, Heartbeats: e.ledger.Beats, Shared: &kind.Shared{}}
	if e.logs, err = openLogs(o.Project); err != nil {
		return nil, err
	}
	e.written = logging.New(&o.Project.Config, logging.Options{Dir: e.logs, Shown: o.Log, Level: o.Level})
	e.log = e.written.Logger
	if e.temp, err = temp.New(e.host, o.Project.State); err != nil {
		return nil, err
	}
	e.probing.Temp = e.temp
	if err = e.equip(); err != nil {
		return nil, err
	}
	return e, e.rescue(ctx)
}

// equip makes what the kinds work with, and puts the loaded project in force.
func (e *Engine) equip() (err error) {
	o := proc.Options{Subreaper: e.o.Subreaper}
	if e.history != nil {
		o.Engine = e.history.Engine()
	}
	if e.proc, err = proc.New(o); err != nil {
		return fmt.Errorf("processes cannot be started: %w", err)
	}
	e.worker = work.Worker{
		Host: e.host, History: e.history, Logs: e.logs, Temp: &temp.Runs{Dir: e.temp}, Log: e.log, Output: e.o.Output, Going: &e.going, Rescue: e.rescue, Left: e.left, Began: e.overdue.Step, Delivers: ledger.Delivers,
		Failed: func(err error) {
			if s := e.serving.Load(); s != nil {
				s.failed("records", err)
			}
		},
	}
	e.http = &http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone()}
	s, err := e.newSet(e.o.Project, e.o.Kinds)
	e.current.Store(s)
	return err
}

// newSet makes what runs of a loaded project work with.
func (e *Engine) newSet(p *config.Project, kinds *kind.Set) (*loaded.Set, error) {
	return loaded.New(p, kinds, e.host, kind.Deps{HTTP: e.http, Proc: e.proc, Log: e.log})
}

// Close ends what New began. No run may be going on, but for those that Run gave
// up: it waits for them some seconds.
func (e *Engine) Close() error {
	var errs []error
	if e.http != nil {
		e.http.CloseIdleConnections()
		errs = append(errs, e.overdue.Close(e.proc.Close))
	}
	if e.history != nil {
		errs = append(errs, e.history.Close())
	}
	if e.written != nil {
		e.written.Close()
	}
	if e.logs != nil {
		errs = append(errs, e.logs.Close())
	}
	if e.db != nil {
		errs = append(errs, e.db.Close())
	}
	errs = append(errs, temp.Remove(e.temp))
	if e.held != nil {
		errs = append(errs, e.held.Close())
		e.held = nil
	}
	return errors.Join(errs...)
}

// RunNow runs a pipeline to its end, with the retries of the run, and reports
// the last attempt. It ends when ctx does, and when somebody asks for it as
// `cancel` does. The error is about the request or the history; a run that
// failed is no error. A *UsageError says that the request is wrong, a
// *history.SlotTaken that its slot is served.
func (e *Engine) RunNow(ctx context.Context, r RunRequest) (Report, error) {
	q, err := e.worker.Request(e.current.Load(), r)
	if err != nil {
		return Report{}, err
	}
	if e.serving.Load() == nil { // an engine that serves looks by itself
		defer e.going.Obey(ctx, e.history, e.log)()
	}
	return e.worker.Run(ctx, q)
}

// Plan says what RunNow would do. It opens no database, writes nothing and ends
// what it started before it returns.
func Plan(ctx context.Context, o Options, r RunRequest) (_ runner.Planned, err error) {
	e := &Engine{o: o, host: lookup(o.Environ), log: o.Log}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	if err := e.equip(); err != nil {
		return runner.Planned{}, err
	}
	q, err := e.worker.Request(e.current.Load(), r)
	if err != nil {
		return runner.Planned{}, err
	}
	return e.worker.Plan(ctx, q)
}

// History is what the reading commands read.
type History struct {
	*history.History
	Ledger *ledger.Ledger
	Logs   *logs.Dir
	db     *store.DB
}

// OpenHistory opens what a project recorded, for reading. It makes nothing: a
// project that has never run reads as an empty history.
func OpenHistory(ctx context.Context, p *config.Project) (*History, error) {
	db, err := store.Open(ctx, store.Options{Dir: p.State, ReadOnly: true})
	if err != nil {
		return nil, err
	}
	dir, err := openLogs(p)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &History{History: history.New(db), Ledger: ledger.New(db), Logs: dir, db: db}, nil
}

// Close closes the history.
func (h *History) Close() error {
	return errors.Join(h.History.Close(), h.Logs.Close(), h.db.Close())
}

func openLogs(p *config.Project) (*logs.Dir, error) {
	return logs.Open(filepath.Join(p.State, "logs"), logging.Bounds(&p.Config))
}

// lookup reads an environment as os.LookupEnv does.
func lookup(environ []string) func(string) (string, bool) {
	m := make(map[string]string, len(environ))
	for _, kv := range environ {
		if k, v, ok := strings.Cut(kv, "="); ok {
			m[k] = v
		}
	}
	return func(name string) (string, bool) {
		v, ok := m[name]
		return v, ok
	}
}

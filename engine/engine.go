// Package engine joins the parts: it opens a project, runs its pipelines and
// plans them. Each part knows one thing (a step graph, a history, a process, a
// secret) and none of the others; here they meet, and nothing else happens.
//
// Start with Open and Engine.Run; run.go is the life of one run.
package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"time"

	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/logs"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/proc"
	"github.com/redundctl/redundctl/engine/runner"
	"github.com/redundctl/redundctl/engine/store"
)

// Output shows a run as it goes on; console.Output is one.
type Output interface {
	// Step gives the receiver of one step's output, masked already.
	Step(name string) io.WriteCloser
	// Note shows one line that belongs to no step.
	Note(format string, args ...any)
}

// Options say what an Engine works with.
type Options struct {
	Project *config.Project
	Kinds   *kind.Set
	Environ []string     // KEY=VALUE, as os.Environ gives it
	Log     *slog.Logger // nil: none; engine.log is written besides
	Output  Output       // nil: none
	// Subreaper lets orphaned processes of steps come home to be ended; for
	// programs that are not embedded in others.
	Subreaper bool
}

// Engine runs the pipelines of one project. It may be used from several
// goroutines.
type Engine struct {
	o       Options
	host    func(string) (string, bool)
	db      *store.DB // nil in a dry run, like history, logs and temp
	history *history.History
	logs    *logs.Dir
	temp    string
	deps    kind.Deps
	hidden  []string // values of redund.yaml that are masked like secrets
	log     *slog.Logger
}

// RunRequest asks for one run.
type RunRequest struct {
	Pipeline *pipeline.Pipeline
	Params   map[string]string // as text, converted to the declared types
	Env      map[string]string
	Slot     time.Time // zero: by hand
	Trigger  string    // "": manual
}

// UsageError is a request that cannot be right, whatever the state of the
// machine: an unknown parameter, a value of the wrong type.
type UsageError struct{ Message string }

// Error is the message.
func (e *UsageError) Error() string { return e.Message }

// Report is one run with its steps.
type Report struct {
	Run   pipeline.Run
	Steps []pipeline.StepRecord
}

// Open opens the project's history for writing and all that running needs,
// and cleans up after processes that died. The Engine must be closed.
func Open(ctx context.Context, o Options) (_ *Engine, err error) {
	e := &Engine{o: o, host: lookup(o.Environ), log: slog.New(slog.DiscardHandler)}
	defer func() {
		if err != nil {
			err = errors.Join(err, e.Close())
		}
	}()
	if e.db, err = store.Open(ctx, store.Options{Dir: o.Project.State}); err != nil {
		return nil, err
	}
	e.history = history.New(e.db)
	if e.logs, err = openLogs(o.Project); err != nil {
		return nil, err
	}
	e.log = logger(o.Log, e.logs.Writer("engine"))
	if e.temp, err = newTemp(e.host, o.Project.State); err != nil {
		return nil, err
	}
	if err = e.equip(); err != nil {
		return nil, err
	}
	return e, e.rescue(ctx)
}

// equip makes what the kinds work with.
func (e *Engine) equip() error {
	o := proc.Options{Subreaper: e.o.Subreaper}
	if e.history != nil {
		o.Engine = e.history.Engine()
	}
	spawner, err := proc.New(o)
	if err != nil {
		return fmt.Errorf("processes cannot be started: %w", err)
	}
	keep := e.o.Project.Config.Retention.Backups
	e.deps = kind.Deps{
		HTTP: &http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone()}, Proc: spawner, Log: e.log,
		Backups: kind.Retention{Keep: keep.Keep, MaxAge: keep.MaxAge.Std()},
	}
	e.deps.Notify, err = e.services()
	return err
}

// Close ends what Open began. No run may be going on.
func (e *Engine) Close() error {
	var errs []error
	if e.deps.Proc != nil {
		e.deps.HTTP.CloseIdleConnections()
		errs = append(errs, e.deps.Proc.Close())
	}
	if e.history != nil {
		errs = append(errs, e.history.Close())
	}
	if e.logs != nil {
		errs = append(errs, e.logs.Close())
	}
	if e.db != nil {
		errs = append(errs, e.db.Close())
	}
	return errors.Join(append(errs, removeTemp(e.temp))...)
}

// Run runs a pipeline to its end, with the retries of the run, and reports
// the last attempt. The error is about the request or the history; a run that
// failed is no error. A *UsageError says that the request is wrong, a
// *history.SlotTaken that its slot is served.
func (e *Engine) Run(ctx context.Context, r RunRequest) (Report, error) {
	q, err := e.request(r)
	if err != nil {
		return Report{}, err
	}
	return e.run(ctx, q)
}

// Plan says what Run would do. It opens no database, writes nothing and ends
// what it started before it returns.
func Plan(ctx context.Context, o Options, r RunRequest) (_ runner.Planned, err error) {
	e := &Engine{o: o, host: lookup(o.Environ), log: o.Log}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	q, err := e.request(r)
	if err != nil {
		return runner.Planned{}, err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	if err := e.equip(); err != nil {
		return runner.Planned{}, err
	}
	return e.plan(ctx, q)
}

// History is what the reading commands read.
type History struct {
	*history.History
	Logs *logs.Dir
	db   *store.DB
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
	return &History{History: history.New(db), Logs: dir, db: db}, nil
}

// Close closes the history.
func (h *History) Close() error {
	return errors.Join(h.History.Close(), h.Logs.Close(), h.db.Close())
}

func openLogs(p *config.Project) (*logs.Dir, error) {
	return logs.Open(filepath.Join(p.State, "logs"), logs.Options{
		MaxSize: int64(p.Config.Logs.MaxSize), Compress: p.Config.Logs.Compress, MaxAge: p.Config.Retention.Logs.Std(),
	})
}

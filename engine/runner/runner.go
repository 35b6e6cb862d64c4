// Package runner runs one step graph: it decides which step is due, evaluates
// its expressions, gives it an environment, tries it as often as its retry
// says, bounds it in time, and records all of it before anyone is told.
//
// It knows no kind, no database and no process: kinds come from Job.Build,
// records go to a Recorder. Start with Job and Run; order.go decides what is
// due, step.go runs one step, attempt.go tries it once.
package runner

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/runner/outputs"
	"github.com/redundctl/redundctl/engine/runner/past"
	"github.com/redundctl/redundctl/engine/secret"
)

// Withheld stands in the record for an output that holds a secret; the value
// itself is passed on in memory alone.
const Withheld = outputs.Withheld

// HandlerLimit bounds each list of handlers, and the steps that a cancelled
// graph still runs because of always() or cancelled().
const HandlerLimit = 5 * time.Minute

// ErrTimeout is the cause with which a graph's context ends when the run is
// out of time. A caller's context that ended with it makes the run timed-out
// too; any other end makes it cancelled.
var ErrTimeout = errors.New("the run is out of time")

// ErrLeft is the cause of a context whose run is left as a crash would leave it:
// what goes on is ended and nothing more is recorded of it, and no handler runs.
// How it ended is then nobody's to tell.
var ErrLeft = errors.New("the run is left to another process")

// Recorder keeps the records of a run. StartStep is called before anything of
// a step starts, and once more when the process that does its work has lived
// for a moment and is known; EndStep before anyone is told how it ended, and
// alone, without StartStep, for a step that was skipped. When soon is set, another
// record or the end of the run follows at once, or Job.Flush is called: that may
// carry this one, if none that is told later is written before it. All may be called
// from several goroutines; an error of the first two fails the step.
type Recorder interface {
	StartStep(ctx context.Context, s *pipeline.StepRecord) error
	EndStep(ctx context.Context, s *pipeline.StepRecord, soon bool) error
	Event(ctx context.Context, e pipeline.Event) error
}

// Job is one attempt of a run and all that its steps may use. Nothing in it is
// changed; the functions must be safe for concurrent use.
type Job struct {
	Pipeline *pipeline.Pipeline
	Run      pipeline.Run // as it was begun: ID, Trigger, Slot, Reason, Attempt, Fence

	Past *past.Past // of a run that had begun before; nil: it begins
	// Primary is what was seen of the pipeline's primary when the run was
	// decided: verdict, reason, evidence (JSON) and url; nil: none was asked.
	Primary map[string]string

	Params     map[string]any    // complete, of the declared types
	Env        map[string]string // --env
	Host       func(name string) (string, bool)
	InheritEnv []string // the project's; the pipeline's are added
	Vars       map[string]any
	Secrets    map[string]string // the declared ones; those that are not set may be missing
	Masker     *secret.Masker

	Root, State string // absolute
	Temp        string // of this run, 0700, outside State; "" in a dry run
	Protected   []string

	// Action finds the file that a step `uses` by its path.
	Action func(path string) (*pipeline.ActionFile, error)
	// Build makes the action of one attempt. The steps `run` and `exec` come
	// as the uses "run" with {run, shell} and "exec" with {exec}.
	Build func(uses string, with map[string]any) (pipeline.Action, error)
	// Open gives the receiver of a step's output, when there is some; step is
	// its id, with its combination when it has one. What is written is masked
	// already.
	Open func(step string) io.WriteCloser

	// Settle records how the graph ended, before any handler begins and before the
	// first record that is owed to its being cut short; nil: nobody does.
	Settle func(ctx context.Context, o past.Outcome) error
	// Flush writes the ends of steps that were to be carried; nil: none ever are.
	Flush func(ctx context.Context) error

	Call     func(ctx context.Context, name string, params map[string]any) (pipeline.Called, error)
	PlanCall func(ctx context.Context, name string, params map[string]any) ([]pipeline.Effect, error)
}

// Result is how a run ended.
type Result struct {
	State pipeline.State
	Error string                // one line, masked; "" when it succeeded
	Steps []pipeline.StepRecord // in order, handlers after the graph
}

// PlanStep is what one step would do.
type PlanStep struct {
	ID      string   `json:"id"`
	Uses    string   `json:"uses"`
	Effects []string `json:"effects"`
}

// Planned is a dry run: which steps would run side by side, and what each
// would do; after them the handlers, called as their records would be, which
// stand in no wave.
type Planned struct {
	Waves [][]string `json:"waves"`
	Steps []PlanStep `json:"steps"`
	// Err joins what would keep steps from running; they say so in their
	// effects too.
	Err error `json:"-"`
}

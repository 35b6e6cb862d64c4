package pipeline

import (
	"context"
	"fmt"
	"io"
	"time"
)

// Action is what a step kind does. Both methods may be called from several
// goroutines on different values; one value serves one attempt of one step.
type Action interface {
	// Run does the work. It returns when everything that it started has ended,
	// at the latest shortly after ctx is done. The error is nil for success;
	// *Exit for a process that ended badly, *Skip for work that was left out
	// on purpose, any other error for a failure, in one line without secrets.
	Run(ctx context.Context, s *Scope) (Outputs, error)
	// Plan says what Run would do and changes nothing anywhere: no file, no
	// process that writes, no request but GET and HEAD.
	Plan(ctx context.Context, s *Scope) ([]Effect, error)
}

// Effect is one line of a dry run: what would be done, with secrets masked.
type Effect string

// Outputs is what a step hands on.
type Outputs struct {
	// Values are steps.ID.outputs.K: strings, or JSON values where the kind
	// says so.
	Values map[string]any
	// Env is added to the environment of the steps that follow.
	Env map[string]string
	// Truncated reports that an output was cut at the limit of 1 MiB, or all
	// of them together at 4 MiB.
	Truncated bool
}

// Exit is the error of a process that did not succeed.
type Exit struct {
	Code   int    // exit code; -1 when a signal ended it
	Signal string // as SIGKILL; "" when it exited
	Reason string // one line more, or ""
	// OverMemory reports that it was ended because of memory-limit.
	OverMemory bool
}

// Error says how the process ended.
func (e *Exit) Error() string {
	s := fmt.Sprintf("exit code %d", e.Code)
	if e.Signal != "" {
		s = "ended by " + e.Signal
	}
	if e.Reason != "" {
		s += ": " + e.Reason
	}
	return s
}

// Skip is the error of a step that decided to leave its work out; the step is
// recorded as skipped with the reason.
type Skip struct{ Reason string }

// Error is the reason.
func (s *Skip) Error() string { return s.Reason }

// Scope is what an action is given to work in: one attempt of one step. The
// functions are never nil; they are safe for concurrent use.
type Scope struct {
	Root  string // the project root, absolute
	Dir   string // the step's working directory, absolute
	State string // the state directory, absolute; no kind writes in it
	Temp  string // a directory of this run's own, 0700, outside State; "" in a dry run

	// Protected are absolute paths that no git kind cleans, saves or shows:
	// the state directory and the env files.
	Protected []string

	// Env is the environment of the step's processes, KEY=VALUE, complete but
	// for REDUND_OUTPUT and REDUND_ENV, which the kind that starts a process
	// adds.
	Env []string

	// Secrets are the values of the declared secrets that the step's `with`
	// or `env` refers to, by name; for plugins.
	Secrets map[string]string
	// Secret gives a secret that the pipeline declares, in any letter case, for
	// kinds whose own files name secrets; ok is false for every other one. One
	// that is declared and not set is "".
	Secret func(name string) (value string, ok bool)
	// Vars are those of redund.yaml.
	Vars map[string]any

	Step    string // the step's id
	Matrix  string // its combination, as "os=a", or ""
	Attempt int    // of the step, from 1
	Run     RunInfo

	SuccessCodes []int // exit codes that count as success; empty: 0 alone
	MemoryLimit  Size  // of the step's process tree; 0: none

	// Kept is what a process of a service is told besides; nil: it is a step.
	Kept *Kept

	// Out takes the step's output. What is written is masked, stamped, shown
	// and logged by the receiver, which never blocks the writer for long.
	Out io.Writer
	// Mask replaces every secret in a text by ***.
	Mask func(string) string
	// Inside reports whether a path that an expression may have built lies
	// inside the project; it returns the absolute path, or an error that
	// names the path.
	Inside func(path string) (string, error)
	// Call runs another pipeline to its end; PlanCall plans it.
	Call     func(ctx context.Context, name string, params map[string]any) (Called, error)
	PlanCall func(ctx context.Context, name string, params map[string]any) ([]Effect, error)
}

// Passed are the variables of the engine's own environment that every process of
// the project gets; what it needs besides is named in its file.
func Passed() []string { return []string{"PATH", "HOME", "USER", "LANG", "TZ", "TMPDIR", "SHELL"} }

// Kept is how a process is started that is kept running.
type Kept struct {
	// Started is called once it runs.
	Started func(pid int)
	// Bounds is asked again and again while it runs: they may change.
	Bounds func() Bounds
}

// Bounds are those of a process that is kept running.
type Bounds struct {
	Signal      string        // asks it to end, as SIGINT; "": SIGTERM
	Grace       time.Duration // between that and SIGKILL; 0: 5 s
	MemoryLimit Size          // of its tree; 0: none
	MemoryFor   time.Duration // how long it may be above that
}

// Called is how a pipeline ended that another one ran.
type Called struct {
	Run   string // its run id
	State State
	Error string
}

// RunInfo is the run that a scope belongs to.
type RunInfo struct {
	ID       string
	Pipeline string // name
	System   string
	Slot     string // RFC 3339 in UTC, "" by hand
	Attempt  int
	Trigger  string
	Reason   string
	Fence    int64
}

// Later is the error of an attempt that was told when to come again: the next
// attempt waits at least After, however short its own delay is.
type Later struct {
	Err   error
	After time.Duration
}

// Error is the error without the wait.
func (l *Later) Error() string { return l.Err.Error() }

// Unwrap gives the error.
func (l *Later) Unwrap() error { return l.Err }

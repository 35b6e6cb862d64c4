// Package proc starts, watches and ends the processes of a step. Everything
// that a step started is ended with it: its process group, what left the group
// with setsid, and what a daemon's double fork orphaned. Output is always
// drained, however slow its reader is.
//
// Linux only. A process is known by its pid and its start time, never by its
// pid alone.
package proc

import (
	"io"
	"syscall"
	"time"
)

// Options of a Spawner.
type Options struct {
	// Engine is the name under which End finds what this process left when it
	// was killed: of letters, digits and -, and no other engine's. "": a random
	// one.
	Engine string
	// Subreaper makes this process the parent of its orphaned descendants
	// (PR_SET_CHILD_SUBREAPER), so that daemons of a step come home to be
	// ended. It is a property of the whole process: a program that embeds the
	// engine, and reaps children with wait4(-1), ends goroutines that are
	// locked to their thread or starts processes of its own, leaves it off:
	// what os/exec starts beside it may inherit the mark of a step, and be
	// ended with that.
	Subreaper bool
}

// Command is one program to run.
type Command struct {
	Argv []string // Argv[0] is looked up in the PATH of Env, unless Path is set or it has a slash
	Path string   // the file to execute, when it is not Argv[0]
	Env  []string // KEY=VALUE, the whole environment
	Dir  string   // working directory; "": our own

	Stdin []byte // nil: /dev/null
	Out   io.Writer
	Err   io.Writer // nil: the same pipe as Out, in the order written
	// Third takes what the program writes to descriptor 3, apart from its
	// output; nil: it has no such descriptor.
	Third io.Writer

	Signal      syscall.Signal // asks the processes to end; 0: SIGTERM
	Grace       time.Duration  // between Signal and SIGKILL; 0: 5 s
	MemoryLimit int64          // bytes resident in the whole tree; 0: none
	// Bounds gives the three above, for what runs so long that they may change
	// meanwhile, and how long the tree may be over its limit; nil: they stay, and
	// it may not.
	Bounds func() Bounds

	// Lasting is for a program whose purpose is to start what is not the step's,
	// as the daemon of another supervisor: what leaves the program's group and
	// session bears no mark, is never ended and outlives this process. Where
	// orphans come home to us it does too, and when it ends nobody takes its end
	// before ours.
	Lasting bool

	// Left takes what the program leaves running, instead of ending it; nil:
	// it is ended with the program.
	Left *Left

	// Started is called right after the start, before Run waits.
	Started func(pid int, start uint64)
}

// Bounds are those of a Command that may change while it runs.
type Bounds struct {
	Signal      syscall.Signal
	Grace       time.Duration
	MemoryLimit int64
	MemoryFor   time.Duration // how long it may be over the limit
}

// Result is how a program ended.
type Result struct {
	Code       int    // exit code; -1 when a signal ended it
	Signal     string // as SIGKILL; "" when it exited
	Killed     bool   // ended by us: the context was done, or OverMemory
	OverMemory bool   // the tree went over MemoryLimit
}

// StartError is the error of a program that could not be started.
type StartError struct {
	Path string // what should have been started
	Err  error  // the system's error
	Hint string // what is missing and the way out, or ""
}

// Error is one line that names the program, the reason and the way out.
func (e *StartError) Error() string {
	s := "cannot start " + e.Path + ": " + e.Err.Error()
	if e.Hint != "" {
		s += ": " + e.Hint
	}
	return s
}

// Unwrap gives the system's error.
func (e *StartError) Unwrap() error { return e.Err }

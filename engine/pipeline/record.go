package pipeline

import "time"

// State is how far a run or a step has come.
type State string

// The states of runs and steps. A step is never queued.
const (
	Queued    State = "queued"
	Running   State = "running"
	Succeeded State = "succeeded"
	Failed    State = "failed"
	TimedOut  State = "timed-out"
	Cancelled State = "cancelled"
	Skipped   State = "skipped"
)

// Done reports whether s is a final state.
func (s State) Done() bool { return s != Queued && s != Running && s != "" }

// Bad reports whether s is the end of what did not do its work: such an attempt
// is retried.
func (s State) Bad() bool { return s == Failed || s == TimedOut }

// Run is the record of one run, as the history keeps it.
type Run struct {
	ID       int64  // ascending with time; 0 before it was recorded
	Pipeline string // name
	System   string
	Trigger  string // schedule failover manual api pipeline drill retry
	Slot     time.Time
	State    State
	Reason   string // why it was decided so; "manual" for a run by hand
	Attempt  int    // of the run, from 1
	Fence    int64
	Parent   int64 // the run whose `pipeline` step started this one, or 0
	Queued   time.Time
	Started  time.Time
	Finished time.Time
	Error    string // one line, masked
	Hash     string // of the definition it runs under
}

// StepRecord is the record of one step of a run; a matrix step has one for
// each combination.
type StepRecord struct {
	Run       int64
	Index     int    // position in the run, handlers after the graph; with Run the key
	ID        string // handlers as "on-failure.1"
	Matrix    string // "os=a, node=20", or ""
	Uses      string // run, exec or the kind's name
	State     State
	Continued bool // failed, but continue-on-error made it count as succeeded
	Attempts  int
	ExitCode  *int   // nil where no process ended with one
	Signal    string // as SIGKILL
	Started   time.Time
	Finished  time.Time
	Outputs   map[string]any    // withheld ones as "(withheld: holds a secret)"
	Env       map[string]string // what it wrote to REDUND_ENV, withheld likewise
	Truncated bool
	Error     string // one line, masked
}

// Event is one line of the append-only account of what happened.
type Event struct {
	At       time.Time
	Run      int64  // 0: none
	Pipeline string // system/name, or ""
	What     string // a short stable word, as "retry" or "backup"
	Detail   string // one line for people, masked
}

package pipeline

import (
	"context"
	"time"
)

// Verdict is what one look at a primary says of it.
type Verdict string

// The verdicts of a slot: what became of the primary's run for it.
const (
	Delivered    Verdict = "succeeded"
	NotDelivered Verdict = "failed"
	UnderWay     Verdict = "running"
	Nothing      Verdict = "nothing" // no run for the slot, so far
	Unknown      Verdict = "unknown" // nobody can tell; of services too
)

// The verdicts of a service.
const (
	Up       Verdict = "up"
	Down     Verdict = "down"
	Starting Verdict = "starting" // its supervisor brings it up
)

// Reading is what one look at a primary showed. Nothing of it holds a secret.
type Reading struct {
	Verdict  Verdict
	Reason   string         // one line for people
	URL      string         // where people see it, or ""
	Evidence map[string]any // what the answer said, small, as JSON knows it; kept with the slot

	Run   string    // the primary's own id of the run, or ""
	Began time.Time // when that run was created: it belongs to the slot before; zero: not known
	Ended time.Time // zero: it goes on, or nobody knows

	// Refused reports an answer that says that the probe is not set up rather
	// than how the primary does, as 401, 403 or 404. The verdict is Unknown.
	Refused bool
	// Alive reports that a copy of a service lives which its supervisor has
	// lost: while it does, no other is started. The verdict is Down.
	Alive bool
	// Scheduled reports that the run was begun by the primary's own schedule and
	// by no person.
	Scheduled bool
}

// Window is what a probe is asked about.
type Window struct {
	Slot time.Time // zero: a service, whose present state counts
	Next time.Time // the slot after Slot: what begins from then on is another one's
	// Run is the id of a run that was dispatched for the slot: it is looked at,
	// whatever else the window holds. "": none.
	Run string
}

// Probe looks at one primary. It is used by one goroutine at a time, for as
// long as its pipeline is in force in one form.
type Probe interface {
	// Probe looks once and changes nothing. It returns soon after ctx is done,
	// which has a deadline. An error is the same as the verdict Unknown with
	// the error as its reason, in one line and without secrets.
	Probe(ctx context.Context, w Window) (Reading, error)
}

// Dispatcher is a Probe whose primary can be asked to run (recover: dispatch).
type Dispatcher interface {
	// Dispatch asks for a run and gives its id and address, by which Window.Run
	// finds it.
	Dispatch(ctx context.Context, w Window) (Reading, error)
}

// Canceller is a Probe whose primary's runs can be ended (fence: cancel-late).
type Canceller interface {
	// Cancel ends the run that a reading showed.
	Cancel(ctx context.Context, r Reading) error
}

// Heartbeat is one call of a primary, as it was received.
type Heartbeat struct {
	At    time.Time // by the clock of the receiver
	State string    // started, succeeded or failed
	Run   string    // the caller's id of its run (rid), or ""
	Slot  time.Time // that the caller named, or zero
	Body  string    // what it sent, masked and cut, as evidence
}

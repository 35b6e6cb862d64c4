// Package history keeps the account of what happened: runs and their steps,
// the slots they served, events, and the definitions they ran under.
//
// Start with New, then Begin, StartStep, EndStep and Finish.
package history

import (
	"context"
	"errors"
	"time"

	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/store"
)

// History is the account of one project. Its methods may be called from
// several goroutines, and several processes may share one database.
type History struct{ db *store.DB }

// Definition is what a run runs under.
type Definition struct {
	Hash string
	File string
	Body []byte // canonical JSON
}

// Filter picks runs; zero fields pick all.
type Filter struct {
	System string
	Name   string
	States []pipeline.State
	Since  time.Time // queued at or after
	Before int64     // id below, for the next page; 0: from the newest
	Limit  int       // 0: 50
}

// EventFilter picks events; zero fields pick all.
type EventFilter struct {
	Run      int64
	Pipeline string // system/name
	What     string
	Since    time.Time
	Limit    int // 0: 1000
}

// Summary is what `report` prints.
type Summary struct {
	Since   time.Time `json:"since"`
	Until   time.Time `json:"until"`
	Systems []Totals  `json:"systems"`
}

// Totals counts the finished runs of a system or of one of its pipelines.
type Totals struct {
	Name          string   `json:"name"`
	Runs          int      `json:"runs"`
	Succeeded     int      `json:"succeeded"`
	Failed        int      `json:"failed"`
	Failovers     int      `json:"failovers"`
	LatePrimaries int      `json:"late-primaries"`
	Recovery      Recovery `json:"recovery-ms"`
	Pipelines     []Totals `json:"pipelines,omitempty"`
}

// Recovery is how long after its slot a backup had done the work, in
// milliseconds; nil where there was none.
type Recovery struct {
	P50 *int64 `json:"p50"`
	Max *int64 `json:"max"`
}

// Pruned says what Prune removed, or would remove.
type Pruned struct {
	Runs        int       `json:"runs"`
	Steps       int       `json:"steps"`
	Slots       int       `json:"slots"`
	Events      int       `json:"events"`
	Definitions int       `json:"definitions"`
	Oldest      time.Time `json:"oldest"` // when the oldest of the runs was queued
	Newest      time.Time `json:"newest"`
}

// New gives the history that db holds.
func New(db *store.DB) *History { return &History{db: db} }

// Close gives back the lease; runs that are still running then read as
// interrupted. The database stays open.
func (h *History) Close() error { return nil }

var errStub = errors.New("history: not built yet")

// Begin records that r runs now, and sets its ID, State, Attempt, Fence, Queued and Started.
func (h *History) Begin(_ context.Context, _ *pipeline.Run, _ Definition) error { return errStub }

// Finish records how r ended. When it fails the caller keeps r and calls again.
func (h *History) Finish(_ context.Context, _ *pipeline.Run) error { return errStub }

// StartStep records that a step is about to start.
func (h *History) StartStep(_ context.Context, _ *pipeline.StepRecord) error { return errStub }

// EndStep records how a step ended.
func (h *History) EndStep(_ context.Context, _ *pipeline.StepRecord) error { return errStub }

// Event appends one event.
func (h *History) Event(_ context.Context, _ pipeline.Event) error { return errStub }

// Runs gives the runs that f picks, newest first.
func (h *History) Runs(_ context.Context, _ Filter) ([]pipeline.Run, error) { return nil, errStub }

// Run gives one run; the error is ErrNoRun when there is none.
func (h *History) Run(_ context.Context, _ int64) (pipeline.Run, error) {
	return pipeline.Run{}, errStub
}

// Steps gives the steps of a run, in order.
func (h *History) Steps(_ context.Context, _ int64) ([]pipeline.StepRecord, error) {
	return nil, errStub
}

// Events gives the events that f picks, oldest first.
func (h *History) Events(_ context.Context, _ EventFilter) ([]pipeline.Event, error) {
	return nil, errStub
}

// Rescue writes the end of runs whose process is dead, and gives their ids.
func (h *History) Rescue(_ context.Context) ([]int64, error) { return nil, errStub }

// Summary counts the runs queued from since to until.
func (h *History) Summary(_ context.Context, _, _ time.Time) (Summary, error) {
	return Summary{}, errStub
}

// Prune removes runs that ended before a time, with all that belongs to them; dry only counts.
func (h *History) Prune(_ context.Context, _ time.Time, _ bool) (Pruned, error) {
	return Pruned{}, errStub
}

// ActiveSlot gives the run of a slot that is active or has succeeded, or ok false.
func (h *History) ActiveSlot(_ context.Context, _, _ string, _ time.Time) (_ pipeline.Run, ok bool, _ error) {
	return pipeline.Run{}, false, errStub
}

package simulate

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"sync"
	"time"

	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/schedule"
)

// Effect is one thing that was done: a run of the primary, or one of the backup.
type Effect struct {
	// Run is the id of a run of the primary; "" is the backup.
	Run string
	// Slot is what it was done for, when somebody asked for it: the backup's slot,
	// or that of a run that was dispatched. Zero: the primary's own schedule began
	// it, and it belongs to the latest slot at or before Created.
	Slot      time.Time
	Created   time.Time
	Ended     time.Time // to come, as long as nobody cancels it
	Cancelled bool      // it ended so, and delivered nothing
}

// Primary is a modelled primary: it starts a run for each slot of its schedules,
// as a Plan says, and each succeeds after its time. It keeps a log of what ran
// when, its own runs and the backup's, which knows nothing of decisions. It is a
// pipeline.Probe of itself, a Dispatcher and a Canceller, all by its own clock,
// and safe for concurrent use.
type Primary struct {
	schedules []*schedule.Schedule
	until     time.Time
	plan      Plan
	took      time.Duration
	now       func() time.Time

	mu    sync.Mutex
	next  time.Time // slot that is planned next
	more  bool      // there is such a slot
	slots int       // that were planned
	runs  int       // that were begun
	log   []Effect  // in the order of Created
}

// PrimaryOptions say what a Primary does. All but Until are needed.
type PrimaryOptions struct {
	Schedules []*schedule.Schedule
	From      time.Time // the first slot is at or after it
	Until     time.Time // there is none from here on; zero: it goes on for ever
	Plan      Plan
	Duration  time.Duration // of each run
	Now       func() time.Time
}

// NewPrimary makes a primary that has done nothing yet.
func NewPrimary(o PrimaryOptions) *Primary {
	m := &Primary{schedules: o.Schedules, until: o.Until, plan: o.Plan, took: o.Duration, now: o.Now}
	m.advance(before(o.From))
	return m
}

// advance finds the slot that is planned next.
func (m *Primary) advance(after time.Time) {
	m.next, m.more = schedule.Next(m.schedules, after)
	m.more = m.more && (m.until.IsZero() || m.next.Before(m.until))
}

// before is an instant after which the slot at t comes first.
func before(t time.Time) time.Time { return t.Add(-1) }

// Probe looks at the runs that the window holds. A run shows from the moment
// that it was created.
func (m *Primary) Probe(_ context.Context, w pipeline.Window) (pipeline.Reading, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	m.begin(now)
	best := pipeline.Reading{Verdict: pipeline.Nothing, Reason: "no run for the slot so far"}
	for i := m.first(w); i < len(m.log) && !m.log[i].Created.After(now); i++ {
		e := &m.log[i]
		if !shows(e, w) {
			continue
		}
		if r := reading(e, now); weight(r.Verdict) > weight(best.Verdict) {
			best = r
		}
	}
	return best, nil
}

// weight orders what several runs of one slot show: one success is enough, and
// a run that goes on counts for more than one that failed.
func weight(v pipeline.Verdict) int {
	return slices.Index([]pipeline.Verdict{pipeline.Nothing, pipeline.NotDelivered, pipeline.UnderWay, pipeline.Delivered}, v)
}

func reading(e *Effect, now time.Time) pipeline.Reading {
	r := pipeline.Reading{Run: e.Run, Began: e.Created, Scheduled: e.Slot.IsZero(), Verdict: pipeline.UnderWay, Reason: "its run goes on"}
	if e.Ended.After(now) {
		return r
	}
	r.Ended, r.Verdict, r.Reason = e.Ended, pipeline.Delivered, "its run succeeded"
	if e.Cancelled {
		r.Verdict, r.Reason = pipeline.NotDelivered, "its run was cancelled"
	}
	return r
}

// shows reports whether an effect is a run that a window asks about.
func shows(e *Effect, w pipeline.Window) bool {
	switch {
	case e.Run == "":
		return false
	case !e.Slot.IsZero():
		return e.Run == w.Run
	}
	return !e.Created.Before(w.Slot) && e.Created.Before(w.Next)
}

// Change is when a look at a window shows something else than at the last
// moment, if nobody dispatches or cancels; the zero time: never.
func (m *Primary) Change(w pipeline.Window) time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	m.begin(now)
	var out time.Time
	for i := m.first(w); i < len(m.log) && (m.log[i].Created.Before(w.Next) || w.Run != ""); i++ {
		e := &m.log[i]
		at := e.Ended
		if e.Created.After(now) {
			at = e.Created
		}
		if shows(e, w) && at.After(now) && (out.IsZero() || at.Before(out)) {
			out = at
		}
	}
	return out
}

// first is where effects begin that may belong to a window.
func (m *Primary) first(w pipeline.Window) int {
	return sort.Search(len(m.log), func(i int) bool { return !m.log[i].Created.Before(w.Slot) })
}

// begin has all slots up to now begin their runs. Of what a run does later only
// Cancel changes anything, so it is written at once.
func (m *Primary) begin(now time.Time) {
	for m.more && !m.next.After(now) {
		m.slots++
		if late, ok := m.plan(m.next); ok {
			created := m.next.UTC().Add(late)
			m.add(Effect{Run: m.id(), Created: created, Ended: created.Add(m.took)})
		}
		m.advance(m.next)
	}
}

func (m *Primary) id() string {
	m.runs++
	return strconv.Itoa(m.runs)
}

func (m *Primary) add(e Effect) {
	i := sort.Search(len(m.log), func(i int) bool { return m.log[i].Created.After(e.Created) })
	m.log = slices.Insert(m.log, i, e)
}

// Dispatch begins a run that belongs to the window's slot, and takes as long as
// any other.
func (m *Primary) Dispatch(_ context.Context, w pipeline.Window) (pipeline.Reading, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	e := Effect{Run: m.id(), Slot: w.Slot, Created: now, Ended: now.Add(m.took)}
	m.add(e)
	return reading(&e, now), nil
}

// Cancel ends a run that a reading showed to go on. It is an error when it has
// ended, or there is none.
func (m *Primary) Cancel(_ context.Context, r pipeline.Reading) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	for i := range m.log {
		if e := &m.log[i]; e.Run != "" && e.Run == r.Run && e.Ended.After(now) {
			e.Ended, e.Cancelled = now, true
			return nil
		}
	}
	return fmt.Errorf("cancelling the run %s: it does not go on", r.Run)
}

// Backup notes that the backup's work for a slot was done now.
func (m *Primary) Backup(slot time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	m.add(Effect{Slot: slot, Created: now, Ended: now})
}

// Log is what was done since an instant, in the order of Created; of runs of the
// primary those too that are to begin for slots that have passed.
func (m *Primary) Log(since time.Time) []Effect {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.since(since))
}

func (m *Primary) since(at time.Time) []Effect { return m.log[m.first(pipeline.Window{Slot: at}):] }

// Slots is how many slots there were up to now.
func (m *Primary) Slots() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.begin(m.now())
	return m.slots
}

// forget drops what was begun before an instant.
func (m *Primary) forget(at time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if i := m.first(pipeline.Window{Slot: at}); i > 0 {
		m.log = slices.Delete(m.log, 0, i)
	}
}

package story

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redundctl/redundctl/engine/failover"
	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/ledger"
	"github.com/redundctl/redundctl/engine/loaded"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/schedule"
)

// Records are what a story is read from.
type Records struct {
	History *history.History
	Ledger  *ledger.Ledger
}

// Ask is which story is to be told.
type Ask struct {
	System, Name string
	Slot         time.Time          // zero: the newest that was decided, else the newest
	Pipeline     *pipeline.Pipeline // as it stands in the files; nil: it does not
	Now          time.Time
}

// NoSlot is the error of a slot that there is not; a zero At asks for any.
type NoSlot struct {
	ID string
	At time.Time
}

// Error says which slot there is not.
func (e *NoSlot) Error() string {
	if e.At.IsZero() {
		return "no slot of " + e.ID + " has come yet"
	}
	return fmt.Sprintf("%s has no slot %s, or it has not come yet", e.ID, pipeline.Time(e.At))
}

// eventsOf is how many events of a service are told.
const eventsOf = 50

// Tell tells the story that is asked for, and gives the slots after it that are
// still open, the oldest first, when none was named. The error is a *NoSlot
// where there is none.
func Tell(ctx context.Context, r Records, a *Ask) (s Story, open []time.Time, err error) {
	f := &Facts{System: a.System, Name: a.Name, Pipeline: a.Pipeline, Now: a.Now}
	if a.Pipeline != nil && a.Pipeline.Service != nil && a.Slot.IsZero() {
		f.Events, err = r.History.Events(ctx, history.EventFilter{Pipeline: a.System + "/" + a.Name, Limit: eventsOf})
		return Of(f), nil, err
	}
	if f.Slot, open, err = pick(ctx, r, a); err != nil {
		return s, nil, err
	}
	if err := f.read(ctx, r); err != nil {
		return s, nil, err
	}
	return Of(f), open, nil
}

// pick finds the slot.
func pick(ctx context.Context, r Records, a *Ask) (s ledger.Slot, open []time.Time, err error) {
	none := &NoSlot{ID: a.System + "/" + a.Name, At: a.Slot}
	if !a.Slot.IsZero() {
		s, ok, err := r.Ledger.Slot(ctx, a.System, a.Name, a.Slot)
		if err == nil && !ok {
			err = none
		}
		return s, nil, err
	}
	list, err := r.Ledger.Newest(ctx, a.System, a.Name)
	if err != nil || len(list) == 0 {
		if err == nil {
			err = none
		}
		return s, nil, err
	}
	for _, x := range list[1:] {
		open = append(open, x.At)
	}
	return list[0], open, nil
}

// read gathers what is known of the slot.
func (f *Facts) read(ctx context.Context, r Records) (err error) {
	id, at := f.System+"/"+f.Name, f.Slot.At
	if f.Events, err = r.Ledger.Story(ctx, id, at); err != nil {
		return err
	}
	ids, err := r.Ledger.Runs(ctx, f.System, f.Name, at)
	if err != nil {
		return err
	}
	hash := ""
	for _, run := range ids {
		x := Run{}
		if x.Run, err = r.History.Run(ctx, run); errors.Is(err, history.ErrNoRun) {
			continue // retention has removed it meanwhile
		}
		if err != nil {
			return err
		}
		if x.Steps, err = r.History.Steps(ctx, run); err != nil && !errors.Is(err, history.ErrNoRun) {
			return err
		}
		if hash == "" {
			hash = x.Hash
		}
		f.Runs = append(f.Runs, x)
	}
	if hash != "" {
		d, ok, err := r.History.Definition(ctx, hash)
		if err != nil {
			return err
		}
		if p, err := loaded.Restore(d); ok && err == nil { // else as it is now
			f.Pipeline = p
		}
	}
	f.Zone = zone(f.Pipeline, at)
	return f.until(ctx, r.Ledger)
}

// until says how long the primary's grace is. What was learned counts for slots
// that are open: for others nobody knows what it was.
func (f *Facts) until(ctx context.Context, l *ledger.Ledger) error {
	p := f.Pipeline
	if p == nil || p.Primary == nil || f.Slot.Next.IsZero() {
		return nil
	}
	grace := p.Grace.For.Std()
	if p.Grace.Auto {
		if f.Slot.Decision != "" {
			return nil
		}
		late, _, err := l.Learned(ctx, p.ID())
		if err != nil {
			return err
		}
		grace = failover.Auto(late, f.Slot.Next.Sub(f.Slot.At), p.Primary.Every.Std())
	}
	f.Until = f.Slot.At.Add(grace)
	return nil
}

// zone is that of the schedule which a slot is of, else of the first one.
func zone(p *pipeline.Pipeline, at time.Time) *time.Location {
	if p == nil {
		return time.UTC
	}
	first := time.UTC
	for i, x := range p.Schedule {
		s, err := schedule.Parse(x)
		if err != nil {
			continue
		}
		if i == 0 {
			first = s.Location()
		}
		if next, ok := schedule.Next([]*schedule.Schedule{s}, at.Add(-time.Microsecond)); ok && next.Equal(at) {
			return s.Location()
		}
	}
	return first
}

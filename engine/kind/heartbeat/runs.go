package heartbeat

import (
	"time"

	"github.com/redundctl/redundctl/engine/pipeline"
)

// The states that a heartbeat may have.
const (
	started   = "started"
	succeeded = "succeeded"
	failed    = "failed"
)

// run is one run of a primary, as its heartbeats tell of it.
type run struct {
	id      string    // "": it gave none
	slot    time.Time // that it named, or zero
	began   time.Time // its first beat
	ended   time.Time // its last one; zero: it goes on
	state   string    // started, succeeded or failed
	lost    bool      // it failed because another one began in its place
	whole   bool      // its start is known
	body    string    // of the last beat that said anything new
	latest  time.Time // when that was
	counted int       // beats
}

// runs puts heartbeats together, in the order in which the runs began. All of
// one id are one run. Of those without an id, which are of a primary that runs
// once at a time, a start begins one, and the next end ends it; an end alone is
// a run, and so is a start that no end follows before the next start.
func runs(list []pipeline.Heartbeat) []*run {
	var out []*run
	named := map[string]*run{}
	var open *run // the one without an id that goes on
	for _, b := range list {
		if b.State != started && b.State != succeeded && b.State != failed {
			continue
		}
		r := named[b.Run]
		if b.Run == "" {
			if r = open; r != nil && b.State == started {
				r.end(failed, b.At)
				r.lost, r = true, nil
			}
		}
		if r == nil {
			r = &run{id: b.Run, began: b.At, state: started, whole: b.State == started}
			out = append(out, r)
			named[b.Run] = r
		}
		r.take(b)
		if open = nil; b.Run == "" && r.state == started {
			open = r
		}
	}
	return out
}

// take adds a beat. A success stays one: what it was for is done, whatever is
// said afterwards; a failure may still become one.
func (r *run) take(b pipeline.Heartbeat) {
	r.counted++
	if r.slot.IsZero() {
		r.slot = b.Slot
	}
	if b.State == r.state && r.counted > 1 || r.state == succeeded || b.State == started && r.counted > 1 {
		return // a beat that came again
	}
	r.body, r.latest = b.Body, b.At
	if b.State != started {
		r.end(b.State, b.At)
	}
}

func (r *run) end(state string, at time.Time) { r.state, r.ended = state, at }

// of reports whether a run belongs to a slot: the one that it named, else the
// latest at or before its first beat.
func (r *run) of(w pipeline.Window) bool {
	switch {
	case w.Run != "" && r.id == w.Run:
		return true
	case !r.slot.IsZero():
		return within(w, r.slot)
	}
	return within(w, r.began)
}

// best is the run that says how a slot stands: the first that succeeded, else
// the newest that goes on, else the newest. nil: there is none.
func best(list []*run, w pipeline.Window) *run {
	var out *run
	for _, r := range list {
		switch {
		case !r.of(w):
		case r.state == succeeded:
			return r
		case out == nil || r.state == started || out.state == failed:
			out = r
		}
	}
	return out
}

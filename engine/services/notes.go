package services

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/redundctl/redundctl/engine/outbox"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/supervise"
)

// mostNotes is how many traces wait at most while they cannot be left; then the
// oldest goes.
const mostNotes = 1000

// note is one trace that is left: each part of it that is set.
type note struct {
	event  pipeline.Event
	keep   string     // the id whose state is kept; such a note has no other part
	state  *keptState // nil: it is forgotten
	raise  *outbox.Condition
	settle string // the key of what is over
	text   string // what is told of that; "": nothing
}

// notes are those that wait.
type notes struct {
	wake chan struct{} // holds one token

	mu     sync.Mutex
	list   []note
	states map[string]*keptState // by id, the newest: no event may push it out
}

// leave lines a trace up, and does not wait for it: no service waits for the
// disk.
func (s *Services) leave(n note) {
	if n.event.What != "" && n.event.At.IsZero() {
		n.event.At = time.Now()
	}
	s.notes.mu.Lock()
	if n.keep != "" {
		s.notes.states[n.keep] = n.state
	} else if s.notes.list = append(s.notes.list, n); len(s.notes.list) > mostNotes {
		s.notes.list = s.notes.list[1:]
	}
	s.notes.mu.Unlock()
	select {
	case s.notes.wake <- struct{}{}:
	default:
	}
}

// note leaves the traces that wait until ctx is done, and then those that are
// left.
func (s *Services) note(ctx context.Context) {
	for {
		pause := time.Duration(0)
		if !s.write(context.WithoutCancel(ctx)) {
			pause = again
		}
		select {
		case <-ctx.Done():
			s.write(context.WithoutCancel(ctx))
			return
		case <-s.notes.wake:
		}
		if pause > 0 {
			select {
			case <-ctx.Done():
			case <-time.After(pause):
			}
		}
	}
}

// write leaves what waits; false: some of it could not be.
func (s *Services) write(ctx context.Context) bool {
	for {
		n, ok := s.notes.next()
		if !ok {
			return true
		}
		err := s.writeOne(ctx, n)
		s.o.Failed(err)
		if err != nil {
			s.notes.back(n)
			return false
		}
	}
}

// next takes what is to be left next, the states first; false: nothing waits.
func (x *notes) next() (n note, ok bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for id, state := range x.states {
		delete(x.states, id)
		return note{keep: id, state: state}, true
	}
	if len(x.list) == 0 {
		return note{}, false
	}
	n, x.list = x.list[0], x.list[1:]
	return n, true
}

// back takes back what could not be left.
func (x *notes) back(n note) {
	x.mu.Lock()
	if _, newer := x.states[n.keep]; n.keep != "" && !newer {
		x.states[n.keep] = n.state
	} else if n.keep == "" {
		x.list = append([]note{n}, x.list...)
	}
	x.mu.Unlock()
	select {
	case x.wake <- struct{}{}:
	default:
	}
}

func (s *Services) writeOne(ctx context.Context, n note) error {
	if n.keep != "" {
		return s.o.Rows.Save(ctx, n.keep, n.state)
	}
	if n.raise != nil {
		s.o.Raise(ctx, *n.raise)
	}
	if n.settle != "" {
		s.o.Settle(ctx, n.settle, n.text)
	}
	if n.event.What == "" {
		return nil
	}
	return s.o.Event(ctx, n.event)
}

// happened takes up what the supervisor tells.
func (s *Services) happened(e supervise.Event) {
	log := s.o.Log.With("pipeline", e.ID, "instance", e.Instance)
	switch e.What {
	case "errored":
		log.Error("a service was given up", "reason", e.Detail, "way out", "mend it, or redundctl restart "+e.ID)
	case "restarted", "ended":
		log.Warn("service "+e.What, "reason", e.Detail)
	default:
		log.Info("service "+e.What, "detail", e.Detail)
	}
	if e.What == "errored" || e.What == "restarted" || e.What == "ended" {
		detail := e.Detail
		if e.Instance > 0 {
			detail = fmt.Sprintf("instance %d: %s", e.Instance, detail)
		}
		s.leave(note{event: pipeline.Event{Pipeline: e.ID, What: e.What, Detail: detail}})
	}
	s.o.Changed()
}

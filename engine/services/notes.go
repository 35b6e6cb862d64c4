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

// mostNotes is how many traces wait at most while they cannot be left.
const mostNotes = 1000

// note is one trace that is left: each part of it that is set.
type note struct {
	event  pipeline.Event
	keep   string // the id whose state is kept
	state  *keptState
	forget string // the id whose state is forgotten
	raise  *outbox.Condition
	settle string // the key of what is over
	text   string // what is told of that; "": nothing
}

// notes are those that wait.
type notes struct {
	wake chan struct{} // holds one token

	mu   sync.Mutex
	list []note
}

// leave lines a trace up, and does not wait for it: no service waits for the
// disk.
func (s *Services) leave(n note) {
	if n.event.What != "" && n.event.At.IsZero() {
		n.event.At = time.Now()
	}
	s.notes.mu.Lock()
	s.notes.list = append(s.notes.list, n)
	if len(s.notes.list) > mostNotes {
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
		s.notes.mu.Lock()
		if len(s.notes.list) == 0 {
			s.notes.mu.Unlock()
			return true
		}
		n := s.notes.list[0]
		s.notes.list = s.notes.list[1:]
		s.notes.mu.Unlock()
		err := s.writeOne(ctx, n)
		s.o.Failed(err)
		if err != nil {
			s.notes.mu.Lock()
			s.notes.list = append([]note{n}, s.notes.list...)
			s.notes.mu.Unlock()
			select {
			case s.notes.wake <- struct{}{}:
			default:
			}
			return false
		}
	}
}

func (s *Services) writeOne(ctx context.Context, n note) error {
	switch {
	case n.keep != "":
		return s.o.Rows.Save(ctx, n.keep, n.state)
	case n.forget != "":
		return s.o.Rows.Save(ctx, n.forget, nil)
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

package queuetest

import (
	"context"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/queue"
)

// goesOn has a run wait again that a queue has seen before, while another one
// goes on: it begins at once, if the queue is told that it is no new one.
func goesOn(t *testing.T, b *bench) {
	ctx := context.Background()
	dead := b.other()
	old := b.add(history.Order{})
	_, err := dead.Claim(ctx, old, history.Definition{})
	b.check(err)
	b.check(dead.Close()) // as dead as a process can be
	r := b.run(b.h, queue.Limits{})
	busy := b.add(history.Order{Pipeline: "busy"})
	r.Wake()
	s := b.take(r)
	b.equal("the busy one", s.ID, busy)
	_, err = b.h.Rescue(ctx, func(string) error { return nil })
	b.check(err)
	b.check(b.h.Again(ctx, old, history.Resumed, time.Now()))
	from := time.Now()
	r.WakeAll()
	again := b.take(r)
	b.equal("the old one", again.ID, old)
	if since := time.Since(from); since > 2*time.Second {
		t.Errorf("it began after %s", since)
	}
	again.end <- pipeline.Succeeded
	s.end <- pipeline.Succeeded
}

// Package past is what an earlier process recorded of a run, for the one that
// goes on with it.
package past

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/runner/eval"
	"github.com/redundctl/redundctl/engine/runner/matrix"
	"github.com/redundctl/redundctl/engine/runner/order"
	"github.com/redundctl/redundctl/engine/runner/outputs"
)

// Past is what is recorded of a run that had begun before. It is not changed
// while the run goes on; the nil Past is that of a run that begins.
type Past struct {
	// Steps are the records, by position. One that had begun and not ended is
	// Running.
	Steps []pipeline.StepRecord
	// Cut is set when records may be missing: what is not recorded as ended
	// counts as begun.
	Cut bool
	// Outcome is how the graph ended: it does not go on, and only handlers run.
	// The zero Outcome: it goes on.
	Outcome Outcome
	// Once keeps handlers from running when one of them has begun.
	Once bool
	// Again lets handlers that had begun begin once more, if they are idempotent.
	Again bool
}

// Outcome is how a graph ended.
type Outcome struct {
	State pipeline.State
	Error string // one line, masked
}

// Ends has the end of one graph recorded.
type Ends struct {
	mu    sync.Mutex
	known Outcome // what is recorded
}

// Settle has o recorded, unless it is already; who needs it recorded waits for
// that. record may be nil.
func (e *Ends) Settle(record func(context.Context, Outcome) error, o Outcome) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if record == nil || e.known == o {
		return nil
	}
	err := record(context.Background(), o)
	if err == nil {
		e.known = o
	}
	return err
}

// Why steps of a graph that was cut short were left out, or ended early.
const (
	OutOfTime = "out of time before it started"
	Cancelled = "cancelled before it started"
	Sibling   = "another combination failed" // that alone cuts no graph short
)

// Ended is how the graph ended, or the zero Outcome when it goes on.
func (p *Past) Ended() Outcome {
	if p == nil {
		return Outcome{}
	}
	return p.Outcome
}

// Short is how a graph ended of which a record says that it was cut short, or
// the zero Outcome. A record of how it ended may be missing.
func (p *Past) Short(of *pipeline.Pipeline) Outcome {
	end := 0
	for i := range of.Steps {
		end += matrix.Room(&of.Steps[i])
	}
	for _, r := range p.Of(0, end) {
		switch {
		case r.State == pipeline.Skipped && r.Error == OutOfTime,
			r.State == pipeline.Cancelled && strings.Contains(r.Error, "out of time"):
			return Outcome{pipeline.TimedOut, "the run is out of time"}
		case r.State == pipeline.Skipped && r.Error == Cancelled,
			r.State == pipeline.Cancelled && !strings.Contains(r.Error, Sibling):
			return Outcome{pipeline.Cancelled, "cancelled"}
		}
	}
	return Outcome{}
}

// Of gives the records from a position on, as many positions as a step takes.
func (p *Past) Of(first, room int) []pipeline.StepRecord {
	if p == nil {
		return nil
	}
	at := func(i int) int {
		n, _ := slices.BinarySearchFunc(p.Steps, i, func(s pipeline.StepRecord, i int) int { return s.Index - i })
		return n
	}
	return p.Steps[at(first):at(first+room)]
}

// At gives the record of a step at its position: that of a handler may be
// another list's.
func (p *Past) At(i int, id string) (rec pipeline.StepRecord, ok bool) {
	if list := p.Of(i, 1); len(list) == 1 && list[0].ID == id {
		return list[0], true
	}
	return rec, false
}

// After reports whether there is a record at a position or after it.
func (p *Past) After(i int) bool {
	return p != nil && len(p.Steps) > 0 && p.Steps[len(p.Steps)-1].Index >= i
}

// Handled reports whether a handler of the run has begun.
func (p *Past) Handled(of *pipeline.Pipeline) bool {
	first := 0
	for i := range of.Steps {
		first += matrix.Room(&of.Steps[i])
	}
	return p.After(first)
}

// Blocked says why a run cannot go on under p, or "": a step that had begun and
// not ended may not run twice, or what a step needs is not recorded because it
// holds a secret. Handlers keep no run from going on, nor do the steps of a
// graph that has ended.
func (p *Past) Blocked(of *pipeline.Pipeline) string {
	if p.Outcome.State != "" {
		return p.withheld(of, nil)
	}
	var left []int // steps of the graph that have not ended
	first := 0
	for i := range of.Steps {
		s := &of.Steps[i]
		room := matrix.Room(s)
		list := p.Of(first, room)
		first += room
		if ended(s, list, room) {
			continue
		}
		left = append(left, i)
		begun := slices.ContainsFunc(list, func(r pipeline.StepRecord) bool { return r.State == pipeline.Running })
		switch {
		case s.Idempotent:
		case begun:
			return fmt.Sprintf("step %s had begun, and is not idempotent", s.ID)
		case p.Cut:
			return fmt.Sprintf("step %s may have begun before the power cut, and is not idempotent", s.ID)
		}
	}
	return p.withheld(of, left)
}

// ended reports whether all of a step is recorded as ended. Of a matrix that
// is known only when it can be multiplied out without running anything.
func ended(s *pipeline.Step, list []pipeline.StepRecord, room int) bool {
	for _, r := range list {
		if !r.State.Done() {
			return false
		}
	}
	m := s.Matrix
	switch {
	case len(list) == 0:
		return false
	case m == nil || list[0].Matrix == "":
		return true
	}
	return len(m.Include) == 0 && len(m.Exclude) == 0 && len(list) == room
}

// withheld says which step needs what was not recorded, or "".
func (p *Past) withheld(of *pipeline.Pipeline, left []int) string {
	var readers []*pipeline.Step
	for _, i := range left {
		readers = append(readers, &of.Steps[i])
	}
	for _, list := range [][]pipeline.Step{of.OnSuccess, of.OnFailure, of.OnCancel, of.Always} {
		for i := range list {
			readers = append(readers, &list[i])
		}
	}
	for i := range p.Steps {
		rec := &p.Steps[i]
		for key, v := range rec.Outputs {
			if v != outputs.Withheld {
				continue
			}
			for _, s := range readers {
				if reads(s, rec.ID, key) {
					return fmt.Sprintf("an output of step %s that is needed held a secret, and was not recorded", rec.ID)
				}
			}
		}
		for _, v := range rec.Env {
			if v == outputs.Withheld && (len(readers) > len(left) || below(of.Steps, rec.ID, left)) {
				return fmt.Sprintf("what step %s wrote to REDUND_ENV held a secret, and was not recorded", rec.ID)
			}
		}
	}
	return ""
}

// reads reports whether a step may read an output of another one.
func reads(s *pipeline.Step, id, key string) bool {
	for _, c := range eval.ReadsOf(s).Chains {
		hit := true
		for i, want := range []string{id, "outputs", key} {
			hit = hit && (len(c) <= i || c[i] == "*" || strings.EqualFold(c[i], want))
		}
		if hit {
			return true
		}
	}
	return false
}

// below reports whether one of the steps sees what another one wrote to
// REDUND_ENV: of a list each does, of a graph those that need it.
func below(steps []pipeline.Step, id string, left []int) bool {
	edges, err := order.Of(steps)
	if edges == nil || err != nil {
		return len(left) > 0
	}
	var needs func(i int) bool
	known := map[int]bool{}
	needs = func(i int) bool {
		if yes, ok := known[i]; ok {
			return yes
		}
		known[i] = slices.ContainsFunc(edges.Needs[i], func(k int) bool { return steps[k].ID == id || needs(k) })
		return known[i]
	}
	return slices.ContainsFunc(left, needs)
}

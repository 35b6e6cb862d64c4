package runner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/redundctl/redundctl/engine/expr"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/runner/environ"
	"github.com/redundctl/redundctl/engine/runner/eval"
	"github.com/redundctl/redundctl/engine/runner/order"
	"github.com/redundctl/redundctl/engine/runner/past"
)

// graph is a list of steps on its way to its end: a pipeline's, an action's or
// a list of handlers. Its fields are touched by one goroutine alone; the steps
// that run side by side are given what they need (task), and give an ending.
type graph struct {
	*place
	steps []pipeline.Step
	edges *order.Edges // nil: a list, one step after another
	ends  []ending
	ids   map[string]int // by id in lower case

	failed string // the id of the first step that failed
	cut    bool   // ended before all of it could run, because its context did
	wrote  bool   // a step has written to REDUND_ENV
	env    map[string]string
	// handlers is set for a list of handlers: how their run ended. They wait
	// for nothing and see the steps of main.
	handlers *expr.Status
	main     *graph

	late context.Context // for the steps that still run after a cancellation
	stop context.CancelFunc
}

// ending is how a step ended: all of a matrix together.
type ending struct {
	state     pipeline.State // "" before the end
	continued bool           // failed, and continue-on-error lets it count as succeeded
	outputs   map[string]any
	env       map[string]string // what it wrote to REDUND_ENV
	exit      *int
	err       string // one line, masked
	// clear is that this step and all above it succeeded; broken that this
	// one or one above it failed.
	clear, broken bool
	held          bool // its record is carried by the next one
}

func (e *ending) failed() bool {
	return (e.state == pipeline.Failed || e.state == pipeline.TimedOut) && !e.continued
}

func (e *ending) conclusion() pipeline.State {
	if e.continued {
		return pipeline.Succeeded
	}
	return e.state
}

// object is what `steps.ID` gives of a step that has ended.
func (e *ending) object() map[string]any {
	outputs := e.outputs
	if outputs == nil {
		outputs = map[string]any{}
	}
	var code any
	if e.exit != nil {
		code = *e.exit
	}
	return map[string]any{"outputs": outputs, "outcome": string(e.state), "conclusion": string(e.conclusion()), "exit-code": code, "error": e.err}
}

func newGraph(p *place, steps []pipeline.Step) (*graph, error) {
	g := &graph{place: p, steps: steps, ends: make([]ending, len(steps)), ids: make(map[string]int, len(steps))}
	for i := range steps {
		g.ids[strings.ToLower(steps[i].ID)] = i
	}
	var err error
	g.edges, err = order.Of(steps)
	return g, err
}

// Waves are the ids of the steps in the order in which they may run: each wave
// waits for the ones before it. A graph with a cycle has none.
func Waves(p *pipeline.Pipeline) [][]string { return order.Waves(p) }

// Edges are the pairs of a step and one that waits for it.
func Edges(p *pipeline.Pipeline) [][]string { return order.Pairs(p) }

// finish runs the graph to its end.
func (g *graph) finish(ctx context.Context) {
	defer func() {
		if g.stop != nil {
			g.stop()
		}
	}()
	if g.edges != nil {
		g.parallel(ctx)
		return
	}
	for i := range g.steps {
		if g.index != nil { // the next step, or the end of the list, follows at once
			g.soon.Store(i+1 == len(g.steps) || plain(&g.steps[i+1]))
		}
		t, end := g.due(ctx, i)
		if t != nil {
			end = t.do()
		}
		g.settle(i, end)
	}
}

// plain reports whether nothing is evaluated before a step starts, which may take
// long.
func plain(s *pipeline.Step) bool { return s.If == "" && !eval.ReadsOf(s).Some }

// parallel starts each step when all that it needs has ended, in the order of
// the file among those that are due, as many side by side as the run allows.
func (g *graph) parallel(ctx context.Context) {
	left := make([]int, len(g.steps))
	var ready []int
	for i, n := range g.edges.Needs {
		if left[i] = len(n); left[i] == 0 {
			ready = append(ready, i)
		}
	}
	type done struct {
		i     int
		end   ending
		holds bool
	}
	ends := make(chan done)
	settle := func(i int, end ending) {
		g.settle(i, end)
		for _, k := range g.edges.Next[i] {
			if left[k]--; left[k] == 0 {
				ready = append(ready, k)
			}
		}
	}
	var first *task // of ready, judged while ctx had not ended
	holding := 0    // places among the steps side by side
	carriers := 0   // steps that got the place of one whose end is not known here yet
	held := false   // an end is, and nothing that carries it has been started since
	ended := ctx.Done()
	for running := 0; running > 0 || len(ready) > 0; {
		if len(ready) > 0 && first == nil {
			i := ready[0]
			t, end := g.due(ctx, i)
			if t == nil {
				ready = ready[1:]
				settle(i, end)
				continue
			}
			first = t
		}
		start := func(holds bool) {
			i, t := ready[0], first
			t.holds = holds
			ready, first = ready[1:], nil
			running++
			if holds {
				if holding++; holding > cap(g.run.width) {
					carriers++
				}
			}
			go func() { ends <- done{i, t.do(), holds} }()
		}
		var free chan<- struct{}
		if first != nil {
			if g.run.width == nil || !first.leaf() {
				start(false)
				continue
			}
			free = g.run.width
		}
		if held {
			held = false
			select {
			case free <- struct{}{}:
				start(true)
				continue
			default:
				g.run.flush()
			}
		}
		g.soon.Store(first != nil && !first.reads.Some)
		select {
		case free <- struct{}{}:
			start(true)
		case d := <-ends:
			running--
			if d.holds {
				holding--
			}
			if d.holds && carriers > 0 {
				carriers--
			} else {
				held = held || d.end.held
			}
			settle(d.i, d.end)
		case <-ended:
			ended, first = nil, nil // what is due is judged anew
		}
	}
}

// settle takes over how a step ended.
func (g *graph) settle(i int, end ending) {
	end.clear = end.conclusion() == pipeline.Succeeded
	end.broken = end.failed()
	if g.edges != nil {
		for _, k := range g.edges.Needs[i] {
			end.clear = end.clear && g.ends[k].clear
			end.broken = end.broken || g.ends[k].broken
		}
	}
	g.ends[i] = end
	if end.failed() && g.failed == "" {
		g.failed = g.steps[i].ID
	}
	g.cut = g.cut || end.state == pipeline.Cancelled
	if len(end.env) == 0 {
		return
	}
	g.wrote = true
	if g.edges == nil {
		g.env = environ.Merged(g.env, end.env)
	}
}

// status is what success(), failure() and cancelled() say to a step, and why
// it is left out when its `if` does not call them.
func (g *graph) status(ctx context.Context, i int) (s expr.Status, reason string) {
	if g.handlers != nil {
		return *g.handlers, ""
	}
	s.Cancelled = ctx.Err() != nil
	if g.edges == nil {
		s.Failure = g.failed != ""
		if s.Failure {
			reason = "step " + g.failed + " before it failed"
		}
	} else {
		s.Success = true
		for _, k := range g.edges.Needs[i] {
			end := &g.ends[k]
			s.Failure = s.Failure || end.broken
			if s.Success && !end.clear {
				s.Success, reason = false, g.blame(k)
			}
		}
	}
	if s.Cancelled {
		reason = leftOut(ctx)
	}
	s.Success = reason == ""
	return s, reason
}

// blame says which step above is why those below k do not run.
func (g *graph) blame(k int) string {
	for g.ends[k].conclusion() == pipeline.Succeeded {
		i := slices.IndexFunc(g.edges.Needs[k], func(n int) bool { return !g.ends[n].clear })
		if i < 0 {
			break
		}
		k = g.edges.Needs[k][i]
	}
	switch state := g.ends[k].state; state {
	case pipeline.Skipped, pipeline.Cancelled:
		return fmt.Sprintf("it needs %s, which was %s", g.steps[k].ID, state)
	default:
		return fmt.Sprintf("it needs %s, which failed", g.steps[k].ID)
	}
}

func leftOut(ctx context.Context) string {
	if outOfTime(ctx) {
		return past.OutOfTime
	}
	return past.Cancelled
}

// outOfTime reports whether a context ended because a time limit passed: then
// nothing more starts below it. After a cancellation, steps with always() and
// cancelled() still run.
func outOfTime(ctx context.Context) bool {
	return errors.Is(context.Cause(ctx), context.DeadlineExceeded) || errors.Is(context.Cause(ctx), ErrTimeout)
}

// written is what the steps before or above i wrote to REDUND_ENV.
func (g *graph) written(i int) map[string]string {
	if g.edges == nil || !g.wrote {
		return g.env
	}
	seen := map[int]bool{}
	var above []int
	todo := slices.Clone(g.edges.Needs[i])
	for len(todo) > 0 {
		k := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if !seen[k] {
			seen[k] = true
			above = append(above, k)
			todo = append(todo, g.edges.Needs[k]...)
		}
	}
	return g.gather(above)
}

// everything is what all steps wrote to REDUND_ENV.
func (g *graph) everything() map[string]string {
	if g.main != nil {
		return environ.Merged(g.main.everything(), g.env)
	}
	if g.edges == nil || !g.wrote {
		return g.env
	}
	all := make([]int, len(g.steps))
	for i := range all {
		all[i] = i
	}
	return g.gather(all)
}

func (g *graph) gather(steps []int) map[string]string {
	slices.SortFunc(steps, func(a, b int) int { return cmp.Compare(g.edges.Rank[a], g.edges.Rank[b]) })
	var out map[string]string
	for _, k := range steps {
		if len(g.ends[k].env) > 0 {
			out = environ.Merged(out, g.ends[k].env)
		}
	}
	return out
}

// seen is the `steps` context for a step that reads r.
func (g *graph) seen(r *eval.Reads) map[string]any {
	out := map[string]any{}
	if g.main != nil {
		out = g.main.seen(r)
	}
	if r.AllSteps {
		for i := range g.steps {
			if g.ends[i].state != "" {
				out[g.steps[i].ID] = g.ends[i].object()
			}
		}
		return out
	}
	for id := range r.Steps {
		if i, ok := g.ids[id]; ok && g.ends[i].state != "" {
			out[g.steps[i].ID] = g.ends[i].object()
		}
	}
	return out
}

package runner

import (
	"context"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine/pipeline"
)

// prompt is a Recorder that checks that an end which is to be carried is, at once,
// and that nothing is told between.
type prompt struct {
	*book
	t       *testing.T
	since   time.Time // zero: none is held
	carried int
}

func (p *prompt) carry() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.since.IsZero() && time.Since(p.since) > 0 {
		p.t.Errorf("an end was carried after %s", time.Since(p.since))
	}
	p.since = time.Time{}
}

func (p *prompt) StartStep(ctx context.Context, s *pipeline.StepRecord) error {
	p.carry()
	return p.book.StartStep(ctx, s)
}

func (p *prompt) EndStep(ctx context.Context, s *pipeline.StepRecord, soon bool) error {
	if p.carry(); soon {
		p.mu.Lock()
		p.since, p.carried = time.Now(), p.carried+1
		p.mu.Unlock()
	}
	return p.book.EndStep(ctx, s, soon)
}

func (p *prompt) Event(ctx context.Context, e pipeline.Event) error {
	p.carry()
	return p.book.Event(ctx, e)
}

// TestSoon: the end of a step waits for the next record only when that follows at
// once, whatever else goes on side by side.
func TestSoon(t *testing.T) {
	one := []pipeline.Step{{ID: "h", Exec: []string{"x"}}}
	for name, c := range map[string]struct {
		p       pipeline.Pipeline
		carried int
	}{
		"one after another":        {pipeline.Pipeline{Steps: []pipeline.Step{step("a", ""), step("b", "sleep:1h"), step("c", "")}}, 3},
		"with an expression":       {pipeline.Pipeline{Steps: []pipeline.Step{step("a", ""), step("b", "${{run.id}}"), step("c", "")}}, 2},
		"with a condition":         {pipeline.Pipeline{Steps: []pipeline.Step{step("a", ""), step("b", "", when("always()")), step("c", "")}}, 2},
		"a failure":                {pipeline.Pipeline{Steps: []pipeline.Step{step("a", ""), step("b", "fail:1"), step("c", "")}}, 1},
		"handlers":                 {pipeline.Pipeline{Steps: []pipeline.Step{step("a", "")}, Always: one}, 2},
		"nothing waits":            {pipeline.Pipeline{Steps: []pipeline.Step{step("a", "sleep:1h", needs()), step("b", "", needs())}, MaxParallel: 2}, 0},
		"one waits":                {pipeline.Pipeline{Steps: []pipeline.Step{step("a", "sleep:1h", needs()), step("b", "", needs()), step("c", "sleep:1s", needs())}, MaxParallel: 2}, 1},
		"two end and one waits":    {pipeline.Pipeline{Steps: []pipeline.Step{step("a", "sleep:1s", needs()), step("b", "sleep:1s", needs()), step("c", "sleep:1h", needs())}, MaxParallel: 2}, -1},
		"two end and two wait":     {pipeline.Pipeline{Steps: []pipeline.Step{step("a", "sleep:1s", needs()), step("b", "sleep:1s", needs()), step("c", "sleep:1h", needs()), step("d", "sleep:1h", needs())}, MaxParallel: 2}, -1},
		"what needs it waits":      {pipeline.Pipeline{Steps: []pipeline.Step{step("a", "sleep:1s", needs()), step("b", "sleep:1h", needs("a")), step("c", "sleep:1h", needs())}, MaxParallel: 1}, -1},
		"as many as there are":     {pipeline.Pipeline{Steps: []pipeline.Step{step("a", "sleep:1s", needs()), step("b", "sleep:1h", needs("a")), step("c", "sleep:2s", needs())}}, 0},
		"a matrix waits its turn":  {pipeline.Pipeline{Steps: []pipeline.Step{step("a", "sleep:1s", needs()), step("m", "sleep:1h", needs(), pairs), step("c", "sleep:2h", needs())}, MaxParallel: 1}, -1},
		"a matrix after a plain 1": {pipeline.Pipeline{Steps: []pipeline.Step{step("a", "sleep:1s"), step("m", "sleep:1h", pairs), step("c", "")}}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				j, _, b := setup(t, &c.p)
				p := &prompt{book: b, t: t}
				j.Flush = func(context.Context) error { p.carry(); return nil }
				r := Run(t.Context(), j, p)
				p.carry()
				if c.carried >= 0 && p.carried != c.carried {
					t.Errorf("%d were to be carried, not %d: %v", p.carried, c.carried, b.order)
				}
				if len(r.Steps) < len(c.p.Steps) {
					t.Error(states(r))
				}
			})
		})
	}
}

func pairs(s *pipeline.Step) {
	s.Matrix = &pipeline.Matrix{Axes: []pipeline.Axis{{Name: "x", Values: []any{1, 2}}}}
}

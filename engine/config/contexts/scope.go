package contexts

import (
	"strings"

	"github.com/redundctl/redundctl/engine/config/needs"
	"github.com/redundctl/redundctl/engine/config/shape"
	"github.com/redundctl/redundctl/engine/expr"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// Scope knows what the expressions of one file can read, place by place. It is
// used by one goroutine.
type Scope struct {
	Pipeline *pipeline.Pipeline
	// Base are the contexts of the whole file. One map serves every place: what
	// differs is set anew in it, and nobody keeps it.
	Base  map[string]*expr.Type
	Doubt *Doubt // nil: the file has no mistakes
	// Outputs are those of a step, by their names; nil: nobody knows.
	Outputs func(s *pipeline.Step) map[string]string

	order *needs.Order
	none  *expr.Type // the matrix where there is none
}

// At gives the contexts at a place of the file, for the expressions of t.
func (s *Scope) At(at []any, t *expr.Template) map[string]*expr.Type {
	s.begin()
	s.Base["matrix"] = s.none
	list, _ := at[0].(string)
	steps, i := shape.List(s.Pipeline, list), -1
	if len(at) > 1 {
		if n, ok := at[1].(int); ok && n < len(steps) {
			i = n
			s.Base["matrix"] = Matrix(steps[i].Matrix)
			if s.Doubt.matrix(list, i) {
				s.Base["matrix"] = expr.AnyType()
			}
		}
	}
	self := -1
	if list == "steps" {
		self = i
	}
	s.Base["steps"] = s.steps(t, self, func(id string) bool {
		switch {
		case list == "outputs":
			return true // of an action, read when all its steps have ended
		case i < 0:
			return false // before any step
		case list == "steps":
			return s.order.Before(id, i)
		}
		return true
	})
	return s.Base
}

func (s *Scope) begin() {
	if s.order != nil {
		return
	}
	s.order = needs.Of(s.Pipeline.Steps)
	s.none = s.Base["matrix"]
	for name := range s.Base {
		if s.Doubt.Of(name) {
			s.Base[name] = expr.AnyType()
		}
	}
}

// steps are the steps as the expressions of t, which stand in the step self, see them; one that cannot have
// run before is refused. Only the steps that t names are made; where it names
// one that there is not, others stand beside them by their names, so that the
// nearest can be told.
func (s *Scope) steps(t *expr.Template, self int, before func(id string) bool) *expr.Type {
	const most = 1000 // that a misspelt name is compared with
	if s.Doubt.Of("steps") {
		return expr.AnyType()
	}
	fields := map[string]*expr.Type{}
	some, wrong := false, false
	for _, r := range t.Refs() {
		if r.Root != "steps" {
			continue
		}
		if len(r.Path) == 0 || r.Path[0] == "*" {
			some = true
			continue
		}
		i, ok := s.order.ByID[strings.ToLower(r.Path[0])]
		if !ok {
			for _, other := range s.Pipeline.Steps[:min(len(s.Pipeline.Steps), most)] {
				if fields[other.ID] == nil {
					fields[other.ID] = expr.AnyType()
				}
			}
			wrong = true
			continue
		}
		step := &s.Pipeline.Steps[i]
		of := Step(s.Outputs(step))
		if !before(step.ID) {
			of.Refuse = &expr.Refusal{Rule: "step-order", Message: "the step " + step.ID + " cannot have run yet", Hint: "add it to needs, or move it up"}
			if i == self {
				of.Refuse = &expr.Refusal{Rule: "step-order", Message: "a step cannot read itself", Hint: "read what it leaves in a step that comes after it"}
			}
		}
		fields[step.ID] = of
	}
	if some && !wrong { // of steps that are not named there may be thousands
		return &expr.Type{Kind: expr.Object, Fields: fields, Open: true, Elem: Step(nil)}
	}
	return &expr.Type{Kind: expr.Object, Fields: fields, What: "step", Rule: "unknown-step"}
}

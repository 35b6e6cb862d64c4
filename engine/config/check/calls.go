package check

import (
	"strings"

	"github.com/redundctl/redundctl/engine/config/shape"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// Call is a step that runs another pipeline.
type Call struct {
	At   []any // of the step
	Step *pipeline.Step
	To   string
}

// calls are the steps of a pipeline that run others which are written out, in
// order.
func calls(p *pipeline.Pipeline) []Call {
	var out []Call
	for _, list := range shape.ListNames() {
		steps := shape.List(p, list)
		for i := range steps {
			s := &steps[i]
			if name, ok := s.With["name"].(string); s.Uses == "pipeline" && ok && !strings.Contains(name, "${{") {
				out = append(out, Call{At: []any{list, i}, Step: s, To: name})
			}
		}
	}
	return out
}

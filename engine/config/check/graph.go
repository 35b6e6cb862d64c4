package check

import (
	"fmt"
	"slices"
	"strings"

	"github.com/redundctl/redundctl/engine/config/mistake"
	"github.com/redundctl/redundctl/engine/config/needs"
	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/source"
)

// checkGraph holds that what steps need is there and comes to an end.
func (f *File) checkGraph(steps []pipeline.Step, at []any) {
	byID := map[string]int{}
	var ids []string
	graph := false
	for i, s := range steps {
		if _, twice := byID[s.ID]; !twice {
			byID[s.ID] = i
			ids = append(ids, s.ID)
		}
		graph = graph || s.HasNeeds
	}
	for i, s := range steps {
		if f.full(diag.Error) {
			return
		}
		for j, need := range s.Needs {
			where := func() source.Pos {
				if _, list := mistake.Value(f.source.Value, Below(at, i, "needs")).([]any); !list {
					return f.source.At(Below(at, i, "needs"))
				}
				return f.source.At(Below(at, i, "needs", j))
			}
			if need == s.ID {
				f.say(where(), diag.Error, "cycle", fmt.Sprintf("the step %s needs itself", s.ID), "take it out of its needs")
			} else if _, ok := byID[need]; !ok {
				others := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return id == s.ID })
				f.say(where(), diag.Error, "unknown-need", fmt.Sprintf("there is no step %q", need), mistake.Choice(need, others))
			}
		}
		if graph && !s.HasNeeds && i > 0 {
			f.say(mistake.Object(f.source, Below(at, i)), diag.Warning, "unmarked-root",
				fmt.Sprintf("the step %s needs nothing and starts at once, beside the first", s.ID), "write needs: [] if that is meant, or what it needs")
		}
	}
	if cycle := needs.Cycle(steps, byID); cycle != nil {
		i := byID[cycle[0]]
		f.say(f.source.KeyAt(Below(at, i, "needs")), diag.Error, "cycle",
			fmt.Sprintf("the steps need each other in a circle: %s", strings.Join(needs.Shortened(append(cycle, cycle[0])), " → ")), "take one of these needs out")
	}
}

package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// checkGraph holds that what steps need is there and comes to an end.
func (f *file) checkGraph(steps []pipeline.Step, at []any) {
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
		for j, need := range s.Needs {
			where := f.source.At(below(at, i, "needs", j))
			if _, list := value(f.source.Value, below(at, i, "needs")).([]any); !list {
				where = f.source.At(below(at, i, "needs"))
			}
			if need == s.ID {
				f.say(where, diag.Error, "cycle", fmt.Sprintf("the step %s needs itself", s.ID), "take it out of its needs")
			} else if _, ok := byID[need]; !ok {
				others := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return id == s.ID })
				f.say(where, diag.Error, "unknown-need", fmt.Sprintf("there is no step %q", need), choice(need, others))
			}
		}
		if graph && !s.HasNeeds && i > 0 {
			f.say(object(f.source, below(at, i)), diag.Warning, "unmarked-root",
				fmt.Sprintf("the step %s needs nothing and starts at once, beside the first", s.ID), "write needs: [] if that is meant, or what it needs")
		}
	}
	if cycle := findCycle(steps, byID); cycle != nil {
		i := byID[cycle[0]]
		f.say(f.source.KeyAt(below(at, i, "needs")), diag.Error, "cycle",
			fmt.Sprintf("the steps need each other in a circle: %s", strings.Join(append(cycle, cycle[0]), " → ")), "take one of these needs out")
	}
}

// findCycle gives the ids of one circle of needs, in order, or nil. Steps that
// need themselves are reported by themselves.
func findCycle(steps []pipeline.Step, byID map[string]int) []string {
	const (
		unseen = iota
		open
		done
	)
	state := make([]int, len(steps))
	// The stack is one of our own: a chain may be as long as the file allows.
	type visit struct{ step, next int }
	for start := range steps {
		if state[start] != unseen {
			continue
		}
		stack := []visit{{start, 0}}
		state[start] = open
		for len(stack) > 0 {
			top := &stack[len(stack)-1]
			if top.next == len(steps[top.step].Needs) {
				state[top.step] = done
				stack = stack[:len(stack)-1]
				continue
			}
			need := steps[top.step].Needs[top.next]
			top.next++
			to, ok := byID[need]
			if !ok || to == top.step {
				continue
			}
			switch state[to] {
			case unseen:
				state[to] = open
				stack = append(stack, visit{to, 0})
			case open:
				var cycle []string
				from := slices.IndexFunc(stack, func(v visit) bool { return v.step == to })
				for _, v := range stack[from:] {
					cycle = append(cycle, steps[v.step].ID)
				}
				return cycle
			}
		}
	}
	return nil
}

// order answers which steps have surely been decided on before another one
// starts: in a list those above it, in a graph those that it needs.
type order struct {
	steps []pipeline.Step
	byID  map[string]int
	graph bool
	known map[int]map[int]bool // what was found already, of the last step asked about
}

func orderOf(steps []pipeline.Step) *order {
	o := &order{steps: steps, byID: map[string]int{}}
	for i, s := range steps {
		o.byID[s.ID] = i
		o.graph = o.graph || s.HasNeeds
	}
	return o
}

// before reports whether the step of that id comes before step i.
func (o *order) before(id string, i int) bool {
	j, ok := o.byID[id]
	if !ok {
		return false
	}
	if !o.graph {
		return j < i
	}
	for _, need := range o.steps[i].Needs {
		if _, ok := o.byID[need]; !ok {
			return true // that need is the mistake, and it has been told
		}
	}
	if o.known[i] == nil {
		o.known = map[int]map[int]bool{i: o.needed(i)}
	}
	return o.known[i][j]
}

// needed are all that step i needs, directly or not.
func (o *order) needed(i int) map[int]bool {
	all := map[int]bool{}
	for todo := []int{i}; len(todo) > 0; {
		s := o.steps[todo[len(todo)-1]]
		todo = todo[:len(todo)-1]
		for _, need := range s.Needs {
			if j, ok := o.byID[need]; ok && !all[j] {
				all[j] = true
				todo = append(todo, j)
			}
		}
	}
	return all
}

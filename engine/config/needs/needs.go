// Package needs is the order that the needs of steps make: what comes before
// what, and whether it comes to an end.
package needs

import (
	"fmt"
	"slices"

	"github.com/redundctl/redundctl/engine/pipeline"
)

// Cycle gives the ids of one circle of needs, in order, or nil. Steps that
// need themselves are reported by themselves.
func Cycle(steps []pipeline.Step, byID map[string]int) []string {
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

// Circles gives the circles that names make which lead to others: of those that
// hang together enough to break each way back, each from its least name on.
func Circles(names []string, next func(name string) []string) [][]string {
	const open, done = 1, 2
	state := map[string]int{}
	var out [][]string
	type visit struct {
		name string
		to   []string
	}
	for _, start := range names {
		if state[start] != 0 {
			continue
		}
		stack := []visit{{start, next(start)}}
		state[start] = open
		for len(stack) > 0 {
			top := &stack[len(stack)-1]
			if len(top.to) == 0 {
				state[top.name] = done
				stack = stack[:len(stack)-1]
				continue
			}
			to := top.to[0]
			top.to = top.to[1:]
			switch state[to] {
			case 0:
				state[to] = open
				stack = append(stack, visit{to, next(to)})
			case open:
				var circle []string
				from := slices.IndexFunc(stack, func(v visit) bool { return v.name == to })
				for _, v := range stack[from:] {
					circle = append(circle, v.name)
				}
				least := slices.Index(circle, slices.Min(circle))
				out = append(out, append(circle[least:len(circle):len(circle)], circle[:least]...))
			}
		}
	}
	return out
}

// Order answers which steps have surely been decided on before another one
// starts: in a list those above it, in a graph those that it needs.
type Order struct {
	steps []pipeline.Step
	ByID  map[string]int // where each id stands
	graph bool
	last  int    // the step that was asked about last, and
	known []bool // what comes before it; nil: none was
}

// Of gives the order of the steps of a pipeline.
func Of(steps []pipeline.Step) *Order {
	o := &Order{steps: steps, ByID: map[string]int{}}
	for i, s := range steps {
		o.ByID[s.ID] = i
		o.graph = o.graph || s.HasNeeds
	}
	return o
}

// Before reports whether the step of that id comes before step i.
func (o *Order) Before(id string, i int) bool {
	j, ok := o.ByID[id]
	if !ok {
		return false
	}
	if !o.graph {
		return j < i
	}
	for _, need := range o.steps[i].Needs {
		if _, ok := o.ByID[need]; !ok {
			return true // that need is the mistake, and it has been told
		}
	}
	if o.known == nil || o.last != i {
		o.last, o.known = i, o.needed(i)
	}
	return o.known[j]
}

// needed are all that step i needs, directly or not.
func (o *Order) needed(i int) []bool {
	all := make([]bool, len(o.steps))
	for todo := []int{i}; len(todo) > 0; {
		s := &o.steps[todo[len(todo)-1]]
		todo = todo[:len(todo)-1]
		for _, need := range s.Needs {
			if j, ok := o.ByID[need]; ok && !all[j] {
				all[j] = true
				todo = append(todo, j)
			}
		}
	}
	return all
}

// Shortened leaves out the middle of a circle that nobody would read.
func Shortened(circle []string) []string {
	if len(circle) <= 12 {
		return circle
	}
	out := append(slices.Clone(circle[:8]), fmt.Sprintf("%d more", len(circle)-11))
	return append(out, circle[len(circle)-3:]...)
}

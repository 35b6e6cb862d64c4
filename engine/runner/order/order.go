// Package order is what a list of steps says about their order: one after
// another, or a graph over `needs`.
package order

import (
	"fmt"
	"slices"

	"github.com/redundctl/redundctl/engine/pipeline"
)

// Edges are the needs of a graph's steps, as positions in its list.
type Edges struct {
	Needs, Next [][]int
	Rank        []int // the place of a step in an order that keeps every need
	waves       [][]int
}

func needy(s pipeline.Step) bool { return s.HasNeeds || len(s.Needs) > 0 }

// Of sorts a graph into waves; a list, in which no step has needs, gives nil. Files are checked for cycles and unknown
// names while they are loaded; here it is the last line of defence.
func Of(steps []pipeline.Step) (*Edges, error) {
	if !slices.ContainsFunc(steps, needy) {
		return nil, nil
	}
	e := &Edges{Needs: make([][]int, len(steps)), Next: make([][]int, len(steps)), Rank: make([]int, len(steps))}
	at := make(map[string]int, len(steps))
	for i := range steps {
		at[steps[i].ID] = i
	}
	left := make([]int, len(steps))
	for i := range steps {
		for _, need := range steps[i].Needs {
			k, ok := at[need]
			if !ok {
				return nil, fmt.Errorf("step %s needs %s, which does not exist", steps[i].ID, need)
			}
			if !slices.Contains(e.Needs[i], k) {
				e.Needs[i], e.Next[k] = append(e.Needs[i], k), append(e.Next[k], i)
			}
		}
		left[i] = len(e.Needs[i])
	}
	var wave []int
	for i, n := range left {
		if n == 0 {
			wave = append(wave, i)
		}
	}
	seen := 0
	for len(wave) > 0 {
		e.waves = append(e.waves, wave)
		var next []int
		for _, i := range wave {
			e.Rank[i] = seen
			seen++
			for _, k := range e.Next[i] {
				if left[k]--; left[k] == 0 {
					next = append(next, k)
				}
			}
		}
		slices.Sort(next)
		wave = next
	}
	if seen < len(steps) {
		i := slices.IndexFunc(left, func(n int) bool { return n > 0 })
		return nil, fmt.Errorf("step %s needs itself through its needs", steps[i].ID)
	}
	return e, nil
}

// Waves are the ids of the steps in the order in which they may run: each wave
// waits for the ones before it. A graph with a cycle has none.
func Waves(p *pipeline.Pipeline) [][]string {
	out := [][]string{}
	if !slices.ContainsFunc(p.Steps, needy) {
		for i := range p.Steps {
			out = append(out, []string{p.Steps[i].ID})
		}
		return out
	}
	e, err := Of(p.Steps)
	if err != nil {
		return out
	}
	for _, wave := range e.waves {
		ids := make([]string, len(wave))
		for k, i := range wave {
			ids[k] = p.Steps[i].ID
		}
		out = append(out, ids)
	}
	return out
}

// Pairs are a step and one that waits for it: what the steps
// need, or in a list each step and the next.
func Pairs(p *pipeline.Pipeline) [][]string {
	out := [][]string{}
	list := !slices.ContainsFunc(p.Steps, needy)
	for i := range p.Steps {
		if list && i > 0 {
			out = append(out, []string{p.Steps[i-1].ID, p.Steps[i].ID})
		}
		for _, need := range p.Steps[i].Needs {
			out = append(out, []string{need, p.Steps[i].ID})
		}
	}
	return out
}

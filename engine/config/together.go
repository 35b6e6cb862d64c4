package config

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/redundctl/redundctl/engine/config/check"
	"github.com/redundctl/redundctl/engine/config/mistake"
	"github.com/redundctl/redundctl/engine/config/settings"
	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// together holds what only all files together show: names that are taken
// twice, and overrides of pipelines that there are not.
func (l *loader) together() {
	first := make(map[[2]string]*check.File, len(l.loaded)) // by system and name
	l.Pipelines = make([]*pipeline.Pipeline, 0, len(l.loaded))
	for _, f := range l.loaded {
		if f.Rejected {
			l.note(f)
		}
	}
	if l.asked != nil {
		// Of two with one name the one that was asked about is told so.
		slices.SortStableFunc(l.loaded, func(a, b *check.File) int { return cmp.Compare(l.rank(a), l.rank(b)) })
	}
	l.kept.single = len(l.kept.settings.Overrides) == 0
	for i, f := range l.loaded {
		if f.Pipeline == nil {
			continue
		}
		if len(f.Calls) > 0 {
			l.kept.single = false
			f = l.own(i)
		}
		id := [2]string{f.Pipeline.System, f.Pipeline.Name}
		if other, twice := first[id]; twice {
			l.kept.single = false
			f = l.own(i)
			f.Late([]any{"name"}, "duplicate-name", fmt.Sprintf("%s is the name of %s already", f.Pipeline.ID(), other.Name), "give one of them another name")
			l.reject(f, f.Pipeline.Name)
		} else {
			first[id] = f
			l.Pipelines = append(l.Pipelines, f.Pipeline)
		}
	}
	l.checkCalls()
	for _, f := range l.loaded {
		if l.asked == nil || l.asked[f.Name] {
			l.Problems = append(l.Problems, f.Problems...)
		}
	}
	l.order()
	l.checkOverrides()
	l.sortProblems()
	l.remember()
}

// sortProblems puts the problems in order, each once.
func (l *loader) sortProblems() {
	diag.Sort(l.Problems)
	l.Problems = slices.CompactFunc(l.Problems, func(a, b diag.Problem) bool { return a == b })
}

// remember keeps what the next load need not ask each file for.
func (l *loader) remember() {
	l.kept.self, l.kept.used = new(self), map[string]bool{}
	for i, f := range l.kept.loaded {
		if len(f.Problems) > 0 {
			l.kept.noted = append(l.kept.noted, i)
		}
		for _, name := range f.Used {
			l.kept.used[name] = true
		}
	}
}

// order puts the pipelines that are good in the order of their ids.
func (l *loader) order() {
	compare := func(i, j int) int {
		a, b := l.loaded[i].Pipeline, l.loaded[j].Pipeline
		if a.System == b.System {
			return strings.Compare(a.Name, b.Name)
		}
		return strings.Compare(a.ID(), b.ID())
	}
	placed := make([]bool, len(l.loaded))
	sorted := make([]int, 0, len(l.loaded))
	for _, i := range l.sorted {
		if placed[i] = l.loaded[i].Pipeline != nil && !l.fresh[i]; placed[i] {
			sorted = append(sorted, i)
		}
	}
	var some []int // in no order yet
	for i, f := range l.loaded {
		if f.Pipeline != nil && !placed[i] {
			some = append(some, i)
		}
	}
	slices.SortFunc(some, compare)
	l.Pipelines = l.Pipelines[:0]
	l.kept.order = make([]int, 0, len(sorted)+len(some))
	for len(sorted)+len(some) > 0 {
		from := &sorted
		if len(sorted) == 0 || len(some) > 0 && compare(some[0], sorted[0]) < 0 {
			from = &some
		}
		l.kept.order = append(l.kept.order, (*from)[0])
		l.Pipelines = append(l.Pipelines, l.loaded[(*from)[0]].Pipeline)
		*from = (*from)[1:]
	}
}

// own gives a file that may be changed: those that were read are kept as they
// are.
func (l *loader) own(i int) *check.File {
	f := *l.loaded[i]
	f.Project, f.Problems = l.check, slices.Clip(f.Problems)
	l.loaded[i] = &f
	return &f
}

// reject makes the pipeline of a file invalid.
func (l *loader) reject(f *check.File, name string) {
	f.Reject(name)
	l.note(f)
}

// note remembers under which names people will look for what is invalid.
func (l *loader) note(f *check.File) {
	names, because := f.Names()
	for _, n := range names {
		l.rejected[n] = append(l.rejected[n], because...)
	}
}

func (l *loader) rank(f *check.File) int {
	if l.asked[f.Name] {
		return 1
	}
	return 0
}

// checkOverrides finds what an environment says of pipelines that there are
// not.
func (l *loader) checkOverrides() {
	if len(l.kept.settings.Overrides) == 0 {
		return
	}
	var known []string
	for _, p := range l.Pipelines {
		known = append(known, p.Name)
	}
	used := map[string]bool{}
	for _, f := range l.loaded {
		for _, name := range f.Overrides {
			used[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(l.kept.settings.Overrides)) {
		if used[name] || l.Rejected(name) != nil {
			continue
		}
		p := diag.Problem{File: settings.FileName, Severity: diag.Error, Rule: "unknown-pipeline",
			Message: fmt.Sprintf("the environment %s sets keys of %s, which is no pipeline", l.Config.Environment, name), Hint: mistake.Choice(name, known)}
		if s := l.kept.settings.Source; s != nil {
			p = s.Problem(s.KeyAt([]any{"environments", l.Config.Environment, "pipelines", name}), p.Severity, p.Rule, p.Message, p.Hint)
		}
		l.add(p)
	}
}

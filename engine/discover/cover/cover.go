// Package cover compares the primaries of a project with the pipelines that back
// them up: what is covered (Of), and what has changed since it was (Drift). It is
// given what was found and what the history knows; of files it reads only those
// of pipelines.
package cover

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/discover"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/secret"
)

// Status says how a primary is backed up.
type Status string

// The statuses, the best first.
const (
	Covered   Status = "covered"
	Drifted   Status = "drifted"  // its pipeline has another schedule
	Disabled  Status = "disabled" // its pipeline or its system is
	Uncovered Status = "uncovered"
)

// Primary is one primary and what backs it up, as JSON has it.
type Primary struct {
	System   string  `json:"system"`
	Name     string  `json:"name"`     // as its system calls it
	Source   string  `json:"source"`   // its file
	Line     *int    `json:"line"`     // nil: the whole file
	Status   Status  `json:"status"`   //
	Pipeline *string `json:"pipeline"` // nil: none
	Note     *string `json:"note"`     // nil: there is nothing to know
}

// Report is what is covered, as JSON has it.
type Report struct {
	// Percent is how many of all primaries are covered, with one decimal: 100
	// when all are, also when there are none.
	Percent   float64   `json:"percent"`
	Primaries []Primary `json:"primaries"`
}

// Facts are what a Report is made of. They belong to one goroutine.
type Facts struct {
	Project *config.Project
	Found   []discover.Primary
	Proved  map[string]bool     // the pipelines that a drill has proved, by system/name
	Notes   map[string][]string // what else is known of a pipeline, by system/name
	Secrets *secret.Sources     // of this machine

	imports map[string][]*pipeline.Pipeline // by source and hash, of those that were run; nil: not read yet
}

// Of makes the report.
func Of(f Facts) Report {
	r := Report{Primaries: make([]Primary, 0, len(f.Found))}
	b := discover.NewBackers(f.Project.Pipelines)
	for i := range f.Found {
		x := &f.Found[i]
		if x.Broken != "" {
			if list := f.asBefore(x); len(list) > 0 {
				for _, p := range list {
					r.Primaries = append(r.Primaries, f.before(x, p))
				}
				continue
			}
		}
		r.Primaries = append(r.Primaries, f.primary(b, x))
	}
	covered := 0
	for _, p := range r.Primaries {
		if p.Status == Covered {
			covered++
		}
	}
	slices.SortStableFunc(r.Primaries, func(a, b Primary) int {
		return cmp.Or(strings.Compare(a.System, b.System), strings.Compare(a.Source, b.Source), cmp.Compare(value(a.Line), value(b.Line)))
	})
	r.Percent = percent(covered, len(r.Primaries))
	return r
}

// percent is rounded, and 100 only when it is all.
func percent(n, of int) float64 {
	if n == of {
		return 100
	}
	return min(math.Round(1000*float64(n)/float64(of))/10, 99.9)
}

func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

func present[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// primary says what backs up one of them.
func (f *Facts) primary(b *discover.Backers, x *discover.Primary) Primary {
	p := Primary{System: x.Finder.System, Name: x.Primary, Source: x.Source, Line: present(x.Line), Status: Uncovered}
	if p.Name == "" {
		p.Name = x.Source
	}
	notes := []string{x.Broken, x.Note}
	if best, more := f.best(b, x); best != nil {
		p.Status, p.Pipeline = f.status(best, x), &best.Name
		notes = append(notes, f.notes(best, x, p.Status)...)
		if len(more) > 0 {
			notes = append(notes, "also backed up by "+strings.Join(more, ", "))
		}
	} else if x.Broken == "" && x.Disabled != "" {
		notes = append(notes, cannot(x))
	}
	if missing := f.missing(x.Secrets); len(missing) > 0 {
		notes = append(notes, "this machine lacks "+strings.Join(missing, ", "))
	}
	notes = slices.DeleteFunc(notes, func(s string) bool { return s == "" })
	p.Note = present(strings.Join(notes, "; "))
	return p
}

// before is a primary of a source that only running it shows, as its pipeline has
// it.
func (f *Facts) before(x *discover.Primary, p *pipeline.Pipeline) Primary {
	out := Primary{System: x.Finder.System, Name: p.Name, Source: x.Source, Status: f.status(p, &discover.Primary{}), Pipeline: &p.Name}
	notes := append(f.notes(p, &discover.Primary{}, out.Status), "the source is as it was when it was imported; nothing more is known without running it")
	out.Note = present(strings.Join(notes, "; "))
	return out
}

// best is the pipeline that backs up a primary best, and the others.
func (f *Facts) best(b *discover.Backers, x *discover.Primary) (best *pipeline.Pipeline, more []string) {
	if one := b.Any(x); one == nil || f.status(one, x) == Covered {
		return one, nil
	}
	rank := func(p *pipeline.Pipeline) int {
		return slices.Index([]Status{Covered, Drifted, Disabled}, f.status(p, x))
	}
	list := b.Of(x)
	best = slices.MinFunc(list, func(p, q *pipeline.Pipeline) int { return cmp.Compare(rank(p), rank(q)) })
	for _, p := range list {
		if p != best {
			more = append(more, p.ID())
		}
	}
	return best, more
}

// off reports whether the system of a pipeline is disabled.
func (f *Facts) off(p *pipeline.Pipeline) bool {
	s, ok := f.Project.Config.Systems[p.System]
	return ok && !s.Enabled
}

func (f *Facts) status(p *pipeline.Pipeline, x *discover.Primary) Status {
	switch {
	case !p.Enabled || f.off(p):
		return Disabled
	case !agree(p, x.Schedules):
		return Drifted
	}
	return Covered
}

// notes are what to know of a pipeline that backs up a primary.
func (f *Facts) notes(p *pipeline.Pipeline, x *discover.Primary, status Status) []string {
	var out []string
	c := &f.Project.Config
	switch status {
	case Disabled:
		switch {
		case f.off(p):
			out = append(out, "the system "+p.System+" is disabled")
		case x.Disabled != "":
			out = append(out, cannot(x))
		}
	case Drifted:
		out = append(out, fmt.Sprintf("its schedule is %s now, and that of its pipeline %s", dues(x.Schedules), planned(p)))
	}
	if c.Observe || p.Observe || c.Systems[p.System].Observe {
		out = append(out, "observing")
	}
	if !f.Proved[p.ID()] {
		out = append(out, "never proved")
	}
	return append(out, f.Notes[p.ID()]...)
}

// cannot says why a primary cannot run here.
func cannot(x *discover.Primary) string {
	if strings.Contains(x.Disabled, "cannot run") {
		return x.Disabled
	}
	return "cannot run here: " + x.Disabled
}

// missing are the secrets that this machine lacks.
func (f *Facts) missing(names []string) []string {
	if len(names) == 0 {
		return nil
	}
	var out []string
	for _, name := range names {
		if !f.has(name) {
			out = append(out, name)
		}
	}
	return out
}

// has reports whether this machine has a secret.
func (f *Facts) has(name string) bool {
	_, ok, err := f.Secrets.Lookup(name)
	return ok && err == nil
}

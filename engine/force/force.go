// Package force is what is in force: the newest good form of every pipeline,
// made of what was loaded and of what was in force before. It asks nobody and
// changes nothing.
package force

import (
	"cmp"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/redundctl/redundctl/engine/api"
	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/loaded"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/queue"
	"github.com/redundctl/redundctl/engine/schedule"
)

// Force is what is in force. It is replaced whole and never changed.
type Force struct {
	Set        *loaded.Set      // the project that was loaded last and is good
	Parts      map[string]*Part // by system/name
	Rejected   []diag.Problem   // what keeps files from being in force
	Generation int64
	At         time.Time
	Save       *api.Save // what came of the last save; nil: there was none

	whole bool     // the parts are the pipelines of the set, and no others
	other []string // parts that may differ from what was before
	gone  []string // parts that were there before, sorted
}

// Part is one pipeline in force.
type Part struct {
	Pipeline  *pipeline.Pipeline
	Own       *loaded.Set // that it runs with, as when its file broke since; nil: the one in force
	Schedules []*schedule.Schedule
	Hash      string
	Since     time.Time // no slot before it is its own
}

// Definition names what the part runs under; its body was recorded when it was
// put in force.
func (p *Part) Definition() history.Definition {
	return history.Definition{Hash: p.Hash, File: p.Pipeline.File}
}

// Options say how what is in force is made.
type Options struct {
	Only  []string // the systems that count; none: all
	Parse func(*pipeline.Pipeline) []*schedule.Schedule
	Now   time.Time
}

// Serves reports whether a system counts.
func (o *Options) Serves(system string) bool {
	return len(o.Only) == 0 || slices.Contains(o.Only, system)
}

// Join makes what is in force of what was loaded and what was in force before,
// which stays where its file, or one that it uses, is broken now. What is the
// same pipeline as before costs a look.
func Join(set *loaded.Set, before map[string]*Part, o Options) *Force {
	return Replace(&Force{Parts: before}, set, o)
}

// Replace is Join with all that was in force before: when it was made of the
// same pipelines by name, what did not change costs nothing.
func Replace(was *Force, set *loaded.Set, o Options) *Force {
	before := was.Parts
	f := &Force{Set: set, At: o.Now, Generation: 1}
	if was.Set != nil && was.whole && len(o.Only) == 0 {
		if list, ok := set.Project.Replaces(was.Set.Project); ok {
			f.Parts, f.whole = maps.Clone(before), true
			for _, p := range list {
				f.take(p, before[p.ID()], &o)
			}
			f.Rejected = f.rejected(&o)
			return f
		}
	}
	f.Parts = make(map[string]*Part, len(set.Project.Pipelines))
	known := 0
	for _, p := range set.Project.Pipelines {
		if !o.Serves(p.System) {
			continue
		}
		b := before[p.ID()]
		if b != nil {
			known++
		}
		f.take(p, b, &o)
	}
	f.whole = len(f.Parts) == len(set.Project.Pipelines)
	if known < len(before) {
		broken := Broken(set.Project)
		for id, b := range before {
			switch {
			case f.Parts[id] != nil || !o.Serves(b.Pipeline.System):
			case broken(id, b.Pipeline.File):
				f.stay(id, was)
			default:
				f.gone = append(f.gone, id)
			}
		}
		slices.Sort(f.gone)
	}
	f.Rejected = f.rejected(&o)
	return f
}

// take puts a pipeline in force; b is what was before, or nil.
func (f *Force) take(p *pipeline.Pipeline, b *Part, o *Options) {
	id := p.ID()
	if b != nil && b.Pipeline == p && b.Own == nil && b.Schedules != nil {
		f.Parts[id] = b
		return
	}
	f.other = append(f.other, id)
	hash, _ := f.Set.Project.Definition(p)
	x := &Part{Pipeline: p, Hash: hash, Since: o.Now}
	if b != nil {
		x.Since = b.Since
	}
	if b != nil && b.Hash == hash && b.Schedules != nil {
		x.Schedules = b.Schedules
	} else {
		x.Schedules = o.Parse(p)
	}
	f.Parts[id] = x
}

// stay has a part of before stay in force, with what it ran with.
func (f *Force) stay(id string, before *Force) {
	x := *before.Parts[id]
	if x.Own == nil {
		x.Own = before.Set
	}
	f.Parts[id], f.whole = &x, false
}

// SetOf gives what runs of a part work with.
func (f *Force) SetOf(p *Part) *loaded.Set {
	if p.Own != nil {
		return p.Own
	}
	return f.Set
}

// Keep has parts of before that are gone stay in force for now.
func (f *Force) Keep(before *Force, ids ...string) {
	for _, id := range ids {
		f.stay(id, before)
	}
	f.gone = slices.DeleteFunc(f.gone, func(id string) bool { return slices.Contains(ids, id) })
}

// Broken tells of a pipeline and its file whether a mistake keeps them from
// being in force.
func Broken(p *config.Project) func(id, file string) bool {
	files := map[string]bool{}
	for _, x := range p.Problems {
		if x.Severity == diag.Error {
			files[x.File] = true
		}
	}
	return func(id, file string) bool { return files[file] || len(p.Rejected(id)) > 0 }
}

// rejected are the mistakes of what was loaded, but for those in files of
// systems that do not count.
func (f *Force) rejected(o *Options) []diag.Problem {
	var out []diag.Problem
	var owners func(string) []string
	for _, x := range f.Set.Project.Problems {
		if x.Severity != diag.Error {
			continue
		}
		if owners == nil {
			owners = f.owners()
		}
		of := owners(x.File)
		if len(of) == 0 || slices.ContainsFunc(of, o.Serves) {
			out = append(out, x)
		}
	}
	return out
}

// owners tells of which systems a file is: those of the pipelines in force that
// came from it, or the one whose folder it lies in; none: of all.
func (f *Force) owners() func(file string) []string {
	systems := map[string][]string{}
	for _, p := range f.Parts {
		systems[p.Pipeline.File] = append(systems[p.Pipeline.File], p.Pipeline.System)
	}
	return func(file string) []string {
		if of := systems[file]; of != nil || file == f.Set.Project.ConfigFile {
			return of
		}
		folders := strings.Split(file, "/")
		for _, name := range folders[:len(folders)-1] {
			if _, ok := f.Set.Project.Config.Systems[name]; ok {
				return []string{name}
			}
		}
		return nil
	}
}

// RejectedOf gives the mistakes that concern each system.
func (f *Force) RejectedOf(systems []string) map[string][]diag.Problem {
	out := make(map[string][]diag.Problem, len(systems))
	if len(f.Rejected) == 0 {
		return out
	}
	owners := f.owners()
	for _, x := range f.Rejected {
		of := owners(x.File)
		for _, s := range systems {
			if len(of) == 0 || slices.Contains(of, s) {
				out[s] = append(out[s], x)
			}
		}
	}
	return out
}

// Reject is f with the mistakes of a project file that is broken now: all else
// stays in force.
func (f *Force) Reject(p *config.Project, at time.Time) *Force {
	out := *f
	out.At, out.Rejected, out.other, out.gone = at, nil, nil, nil
	for _, x := range p.Problems {
		if x.Severity == diag.Error && x.File == p.ConfigFile {
			out.Rejected = append(out.Rejected, x)
		}
	}
	for _, x := range f.Rejected {
		if x.File != p.ConfigFile {
			out.Rejected = append(out.Rejected, x)
		}
	}
	return &out
}

// Same reports whether nothing that was written differs: neither a pipeline nor
// a mistake nor the project file.
func (f *Force) Same(before *Force, d Difference) bool {
	return d.Empty() && slices.Equal(before.Rejected, f.Rejected) &&
		(before.Set == f.Set || reflect.DeepEqual(before.Set.Project.Config, f.Set.Project.Config))
}

// Halted says why no run of a part begins by itself, or "". stopped are the
// systems and pipelines that were stopped by hand.
func (f *Force) Halted(p *Part, stopped map[string]time.Time) string {
	c := f.Set.Project.Config
	system, known := c.Systems[p.Pipeline.System]
	_, systemStopped := stopped[p.Pipeline.System]
	_, partStopped := stopped[p.Pipeline.ID()]
	switch {
	case !p.Pipeline.Enabled || known && !system.Enabled:
		return "disabled"
	case systemStopped || partStopped:
		return "stopped"
	case p.Pipeline.Observe || c.Observe || system.Observe:
		return "observed"
	}
	return ""
}

// Mode is how a part stands beside its primary.
func (f *Force) Mode(p *Part) pipeline.Mode {
	return cmp.Or(f.Set.Project.Config.Systems[p.Pipeline.System].Mode, p.Pipeline.Mode)
}

// Systems are the systems that count, in their order.
func (f *Force) Systems(o Options) []string {
	all := f.Set.Project.Config.Systems
	out := slices.DeleteFunc(slices.Sorted(maps.Keys(all)), func(name string) bool { return !o.Serves(name) })
	slices.SortStableFunc(out, func(a, b string) int { return cmp.Compare(all[a].Order, all[b].Order) })
	return out
}

// Limits bound how many runs go on at once. No run of a system that does not
// count starts: it waits for an engine that serves it.
func (f *Force) Limits(o Options) queue.Limits {
	c := f.Set.Project.Config
	out := queue.Limits{Total: c.Concurrency, System: map[string]int{}, Pipeline: map[string]int{}}
	for name, x := range c.Systems {
		if out.System[name] = x.Concurrency; !o.Serves(name) {
			out.System[name] = -1
		}
	}
	for id, p := range f.Parts {
		if p.Pipeline.Overlap != "allow" {
			out.Pipeline[id] = max(p.Pipeline.Concurrency, 1)
		}
	}
	return out
}

// SameLimits reports whether Limits gives what it gave before.
func (f *Force) SameLimits(before *Force, d *Difference) bool {
	a, b := &before.Set.Project.Config, &f.Set.Project.Config
	if len(d.Added) > 0 || a.Concurrency != b.Concurrency || len(a.Systems) != len(b.Systems) {
		return false
	}
	for name, x := range b.Systems {
		if y, ok := a.Systems[name]; !ok || x.Concurrency != y.Concurrency {
			return false
		}
	}
	for id := range d.Changed {
		if x, y := before.Parts[id].Pipeline, f.Parts[id].Pipeline; x.Concurrency != y.Concurrency || x.Overlap != y.Overlap {
			return false
		}
	}
	return true
}

// Loaded lists what is in force as the history keeps it, with the definitions
// that known, by hash, does not have.
func (f *Force) Loaded(known map[string]bool) (list []history.Loaded, defs []history.Definition) {
	return f.loaded(slices.Sorted(maps.Keys(f.Parts)), known)
}

// Update is what the history must be told of a difference.
func (f *Force) Update(before *Force, d *Difference) history.Update {
	var u history.Update
	u.Put, u.Definitions = f.loaded(slices.Concat(d.Added, slices.Sorted(maps.Keys(d.Changed))), nil)
	for _, id := range d.Removed {
		p := before.Parts[id].Pipeline
		u.Gone = append(u.Gone, history.Loaded{System: p.System, Name: p.Name})
	}
	return u
}

func (f *Force) loaded(ids []string, known map[string]bool) (list []history.Loaded, defs []history.Definition) {
	for _, id := range ids {
		p := f.Parts[id]
		list = append(list, history.Loaded{System: p.Pipeline.System, Name: p.Pipeline.Name, File: p.Pipeline.File, Hash: p.Hash, Since: p.Since})
		if p.Own == nil && !known[p.Hash] {
			defs = append(defs, f.Set.Definition(p.Pipeline))
		}
	}
	return list, defs
}

// Entries are what a timer gives the slots of: those after the last one that was
// decided. A time to come, of a clock that was ahead, holds nothing up.
func (f *Force) Entries(last map[string]time.Time, now time.Time) []schedule.Entry {
	var out []schedule.Entry
	for id, p := range f.Parts {
		if len(p.Schedules) == 0 {
			continue
		}
		after := p.Since
		if l := last[id]; l.After(after) || after.After(now) {
			after = l
		}
		out = append(out, schedule.Entry{ID: id, Schedules: p.Schedules, After: after})
	}
	return out
}

// Find gives the parts that a name means, by their ids: system/name, a name, or
// the camelCase that other tools' users write. More than one: it is ambiguous.
func (f *Force) Find(name string) []*Part {
	if p := f.Parts[name]; p != nil {
		return []*Part{p}
	}
	found := map[string]*Part{}
	for _, x := range f.Set.Project.Find(name) {
		if p := f.Parts[x.ID()]; p != nil {
			found[x.ID()] = p
		}
	}
	for id, p := range f.Parts {
		if p.Pipeline.Name == name { // also of a file that is broken now
			found[id] = p
		}
	}
	var out []*Part
	for _, id := range slices.Sorted(maps.Keys(found)) {
		out = append(out, found[id])
	}
	return out
}

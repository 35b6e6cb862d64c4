package config

import (
	"slices"

	"github.com/redundctl/redundctl/engine/config/check"
	"github.com/redundctl/redundctl/engine/config/files"
)

// quick does what most saves need: a few files say something else of the same
// pipelines, and nothing else hangs on that. It looks at no other file at all,
// so that it costs the same however many there are. False: it has done nothing.
func (a *again) quick() bool {
	p, n := a.before, a.Project
	k := &p.kept
	if a.all || a.settings || a.search || a.secrets || a.change.Outside || !k.single || len(a.dirty) > mostQuick {
		return false
	}
	for name := range a.dirty {
		if p.check.Actions.Knows(name) {
			return false
		}
	}
	n.take(p)
	n.check.Actions.Keep(p.check.Actions, k.used, func(string, files.Stamp) bool { return false })
	fresh := map[int]*check.File{}
	for name := range a.dirty {
		i, _ := p.index(name)
		f := a.read(k.loaded[i].Found)
		if !k.loaded[i].Like(f) {
			n.Problems, n.Cost = nil, Cost{}
			return false
		}
		fresh[i] = f
	}
	n.Files, n.kept = p.Files, *k
	n.kept.loaded, n.kept.noted = slices.Clone(k.loaded), nil
	for i, f := range fresh {
		n.kept.loaded[i] = f
	}
	n.Pipelines = slices.Clone(p.Pipelines)
	n.kept.replaced = nil
	for at, i := range k.order {
		if f := fresh[i]; f != nil {
			n.Pipelines[at] = f.Pipeline
			n.kept.replaced = append(n.kept.replaced, f.Pipeline)
		}
	}
	n.kept.self, n.kept.since = new(self), k.self
	n.Problems = slices.Clone(k.problems)
	candidates := slices.Clone(k.noted)
	for i := range fresh {
		candidates = append(candidates, i)
	}
	slices.Sort(candidates)
	for _, i := range slices.Compact(candidates) {
		f := n.kept.loaded[i]
		if len(f.Problems) == 0 {
			continue
		}
		n.kept.noted = append(n.kept.noted, i)
		n.Problems = append(n.Problems, f.Problems...)
		if f.Rejected {
			a.note(f)
		}
	}
	a.sortProblems()
	return true
}

// mostQuick is how many files may have changed for each of them to be read in
// turn.
const mostQuick = 4

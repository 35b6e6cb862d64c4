package force

import (
	"slices"

	"github.com/redundctl/redundctl/engine/difference"
)

// Difference is what one set in force has and another has not.
type Difference struct {
	Added, Removed []string
	Changed        map[string][]string // the paths of the keys that differ; "file": it moved
}

// Empty reports whether they are the same.
func (d *Difference) Empty() bool { return len(d.Added)+len(d.Removed)+len(d.Changed) == 0 }

// Gone gives the ids of the parts that were in force before and are not any
// more, sorted.
func (f *Force) Gone() []string { return f.gone }

// Compare says in what f differs from what was in force before, which it was
// joined with.
func (f *Force) Compare(before *Force) Difference {
	d := Difference{Removed: f.gone, Changed: map[string][]string{}}
	for _, id := range f.other {
		p, b := f.Parts[id], before.Parts[id]
		if b == nil {
			d.Added = append(d.Added, id)
			continue
		}
		keys := []string{}
		if b.Hash != p.Hash {
			paths, err := difference.Paths(b.Pipeline, p.Pipeline)
			if err != nil { // nobody knows where: all of it
				paths = []string{"."}
			}
			keys = append(keys, paths...)
		}
		if b.Pipeline.File != p.Pipeline.File {
			keys = append(keys, "file")
		}
		if b.Hash != p.Hash || len(keys) > 0 {
			d.Changed[id] = keys
		}
	}
	slices.Sort(d.Added)
	return d
}

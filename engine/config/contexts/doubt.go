package contexts

import (
	"slices"

	"github.com/redundctl/redundctl/engine/config/mistake"
	"github.com/redundctl/redundctl/engine/config/shape"
	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/schema"
)

// Doubt is what cannot be known of a file because its shape has mistakes: of
// two mistakes each is told, and what would only follow from one of them is
// not. nil: there is none.
type Doubt struct {
	keys     map[string]bool // of the file
	matrices map[step]bool
}

type step struct {
	list string
	i    int
}

// DoubtOf is what the mistakes in the shape of a file leave open.
func DoubtOf(file map[string]any, issues []schema.Issue) *Doubt {
	d := &Doubt{keys: map[string]bool{}, matrices: map[step]bool{}}
	for _, i := range issues {
		at := mistake.Place(i)
		if len(at) == 0 {
			continue // the file lacks something, which is told
		}
		key, _ := at[0].(string)
		switch {
		case len(at) == 1 && i.Keyword == schema.KeywordUnknownKey:
			// It may be the misspelt name of one that is not there.
			for _, name := range []string{"params", "secrets", "steps", "inputs"} {
				d.keys[name] = d.keys[name] || file[name] == nil
			}
		case len(at) > 1 && slices.Contains(shape.ListNames(), key):
			d.step(i, at)
		default:
			d.keys[key] = true
		}
	}
	return d
}

// step is the doubt that a mistake in a step, or in place of one, leaves.
func (d *Doubt) step(i schema.Issue, at []any) {
	list, _ := at[0].(string)
	n, _ := at[1].(int)
	if len(at) == 2 {
		// One that lacks something is a step; what is none has no id.
		d.keys[list] = d.keys[list] || i.Keyword == schema.KeywordType
		return
	}
	key, _ := at[2].(string)
	if i.Keyword == schema.KeywordUnknownKey && len(at) == 3 && !d.keys[list] {
		key = diag.Nearest(key, i.Allowed)
	}
	d.keys[list] = d.keys[list] || key == "id" || key == "needs" || key == ""
	if key == "matrix" || key == "" {
		d.matrices[step{list, n}] = true
	}
}

// Of reports whether something is wrong with one of some keys of the file, so
// that what it says is not known.
func (d *Doubt) Of(keys ...string) bool {
	return d != nil && slices.ContainsFunc(keys, func(k string) bool { return d.keys[k] })
}

// matrix reports whether nothing is known of the matrix of a step.
func (d *Doubt) matrix(list string, i int) bool { return d != nil && d.matrices[step{list, i}] }

package engine_test

import (
	"github.com/redundctl/redundctl/engine/builtin"
	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// standIns are the shipped kinds with a primary of a test's in the place of
// `file`, and an action in that of `exec`; nil: the shipped one stays.
func standIns(primary func(kind.PrimaryDeps) pipeline.Probe, work pipeline.Action) *kind.Set {
	set := builtin.Kinds()
	if primary != nil {
		inPlaceOf(set, "file", primary)
	}
	for i := range set.Actions {
		if work != nil && set.Actions[i].Name == "exec" {
			set.Actions[i].Build = func(map[string]any, kind.Deps) (pipeline.Action, error) { return work, nil }
		}
	}
	return set
}

// inPlaceOf puts a primary of a test's in the place of a shipped one.
func inPlaceOf(set *kind.Set, name string, primary func(kind.PrimaryDeps) pipeline.Probe) {
	for i := range set.Primaries {
		if set.Primaries[i].Name == name {
			set.Primaries[i].Build = func(_ map[string]any, d kind.PrimaryDeps) (pipeline.Probe, error) { return primary(d), nil }
		}
	}
}

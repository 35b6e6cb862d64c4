package work

import (
	"fmt"
	"maps"
	"slices"

	"github.com/redundctl/redundctl/engine/loaded"
	"github.com/redundctl/redundctl/engine/runner/outputs"
	"github.com/redundctl/redundctl/engine/secret"
)

// Keepable is nil when what a run is to be started with may be kept until its
// turn comes. A *UsageError says that it holds a secret which its pipeline
// declares or which the project knows, or did when it was recorded: what waits is
// kept as it is, and nothing below the state directory ever holds one.
func (w *Worker) Keepable(set *loaded.Set, r Ask) error {
	if len(r.Params)+len(r.Env) == 0 {
		return nil
	}
	if outputs.Lack(r.Params) || outputs.Lack(r.Env) {
		return &UsageError{"what it was started with held a secret, or was a list or a map, and is not recorded: start it anew with redundctl run " + r.Pipeline.ID()}
	}
	names, err := set.Secrets()
	if err != nil {
		return err
	}
	from := set.Project.Secrets(w.Host)
	for _, name := range slices.Compact(slices.Sorted(slices.Values(append(names, r.Pipeline.Secrets...)))) {
		value, _, err := from.Lookup(name)
		if err != nil {
			return fmt.Errorf("secret %s: %w", name, err)
		}
		for what, values := range map[string]map[string]string{"parameter": r.Params, "variable": r.Env} {
			for _, k := range slices.Sorted(maps.Keys(values)) {
				if secret.In(k, value) {
					return held("the name of a "+what, name)
				}
				if secret.In(values[k], value) {
					return held(what+" "+k, name)
				}
			}
		}
	}
	return nil
}

func held(what, name string) error {
	return &UsageError{fmt.Sprintf("%s holds the secret %s, which is not kept while a run waits: declare it under secrets: and let the step read ${{ secrets.%s }}, "+
		"or run the pipeline in the foreground", what, name, name)}
}

package kind

import (
	"fmt"

	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// Later is a kind of step whose keys are settled and checked, while its action
// comes with a later version: a step of it fails and says so.
func Later(name string, fragment []byte) Action {
	return Action{Name: name, Fragment: fragment, Unbuilt: true, Build: func(map[string]any, Deps) (pipeline.Action, error) {
		return nil, fmt.Errorf("uses: %s is not built yet; it comes with a later version", name)
	}, Check: func(map[string]any, Place) []Finding {
		return []Finding{{Severity: diag.Warning, Rule: "not-built", Message: name + " is checked already, but not built yet: the step fails",
			Hint: "it comes with a later version; until then write what it does under run"}}
	}}
}

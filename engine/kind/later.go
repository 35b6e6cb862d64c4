package kind

import (
	"fmt"

	"github.com/redundctl/redundctl/engine/pipeline"
)

// Later is a kind of step whose keys are settled and checked, while its action
// comes with a later version: a step of it fails and says so.
func Later(name string, fragment []byte) Action {
	return Action{Name: name, Fragment: fragment, Unbuilt: true, Build: func(map[string]any, Deps) (pipeline.Action, error) {
		return nil, fmt.Errorf("uses: %s is not built yet; it comes with a later version", name)
	}}
}

package force

import (
	"reflect"

	"github.com/redundctl/redundctl/engine/config"
)

// Restart are the keys of redund.yaml which an engine takes up only when it
// starts, and which say something else now than in what it started with. An open
// port is not closed under those who ask there.
func (f *Force) Restart(began *config.Project) []string {
	out := []string{}
	if !reflect.DeepEqual(began.Config.Server, f.Set.Project.Config.Server) {
		out = append(out, "server")
	}
	if f.Set.Project.Moves() {
		out = append(out, "state")
	}
	return out
}

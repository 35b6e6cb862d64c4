// Package pm2 is what redundctl knows of PM2: the step kind `pm2`, which acts on
// one application, and the primary kind `pm2`, which looks at one. Both talk to
// the socket of the daemon: its command line starts a daemon whatever it is
// asked, and what it prints for people is no interface.
package pm2

import (
	_ "embed" // the schema fragments

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/schema"
)

//go:embed pm2.json
var step []byte

//go:embed primary.json
var primary []byte

// Kind is the step kind `pm2`.
func Kind() kind.Action {
	k := kind.Define("pm2", step, buildStep)
	k.Check = checkStep
	return k
}

// Primary is the primary kind `pm2`.
func Primary() kind.Primary {
	return kind.Primary{Name: "pm2", Fragment: primary, Build: func(with map[string]any, d kind.PrimaryDeps) (pipeline.Probe, error) {
		var c watched
		if err := schema.Decode(with, &c); err != nil {
			return nil, err
		}
		return build(c, d)
	}}
}

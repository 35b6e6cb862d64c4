// Package pm2 is what redundctl knows of PM2: the keys of the step kind and of
// the primary kind `pm2`.
package pm2

import (
	_ "embed" // the schema fragments

	"github.com/redundctl/redundctl/engine/kind"
)

//go:embed pm2.json
var step []byte

//go:embed primary.json
var primary []byte

// Kind is the step kind `pm2`.
func Kind() kind.Action { return kind.Later("pm2", step) }

// Primary is the primary kind `pm2`.
func Primary() kind.Primary { return kind.Primary{Name: "pm2", Fragment: primary} }

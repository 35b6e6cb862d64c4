// Package github is what redundctl knows of GitHub Actions: the keys of the
// step kinds `github/…` and of the primary kind `github-workflow`.
package github

import (
	_ "embed" // the schema fragments
	"time"

	"github.com/redundctl/redundctl/engine/kind"
)

//go:embed workflow.json
var workflow []byte

//go:embed checkout.json
var checkout []byte

//go:embed setup.json
var setup []byte

//go:embed dispatch.json
var dispatch []byte

//go:embed primary.json
var primary []byte

// Kinds are the step kinds `github/workflow`, `github/checkout`,
// `github/setup` and `github/dispatch`.
func Kinds() []kind.Action {
	return []kind.Action{
		kind.Later("github/workflow", workflow), kind.Later("github/checkout", checkout),
		kind.Later("github/setup", setup), kind.Later("github/dispatch", dispatch),
	}
}

// Primary is the primary kind `github-workflow`.
func Primary() kind.Primary {
	return kind.Primary{Name: "github-workflow", Fragment: primary, Usual: 30 * time.Minute}
}

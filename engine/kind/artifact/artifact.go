// Package artifact is the keys of the step kinds that keep files between the
// steps of a run (`artifact/upload`, `artifact/download`) and between runs
// (`cache`).
package artifact

import (
	_ "embed" // the schema fragments

	"github.com/redundctl/redundctl/engine/kind"
)

//go:embed upload.json
var upload []byte

//go:embed download.json
var download []byte

//go:embed cache.json
var cache []byte

// Kinds are the step kinds `artifact/upload`, `artifact/download` and `cache`.
func Kinds() []kind.Action {
	return []kind.Action{kind.Later("artifact/upload", upload), kind.Later("artifact/download", download), kind.Later("cache", cache)}
}

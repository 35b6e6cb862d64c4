// Package netlify is what redundctl knows of Netlify's functions: the keys of
// the step kind `netlify/function` and of the primary kind `netlify-function`.
package netlify

import (
	_ "embed" // the schema fragments

	"github.com/redundctl/redundctl/engine/kind"
)

//go:embed function.json
var function []byte

// Kind is the step kind `netlify/function`.
func Kind() kind.Action { return kind.Later("netlify/function", function) }

// Package builtin is the plain list of the kinds that are shipped. A new kind
// is one line here and nothing elsewhere.
package builtin

import "github.com/redundctl/redundctl/engine/kind"

// Kinds are the kinds that are shipped, in the order of the reference pages.
func Kinds() *kind.Set {
	return &kind.Set{}
}

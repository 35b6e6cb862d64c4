// Package github is what redundctl knows of GitHub Actions: the step kinds
// `github/…` and the primary kind `github-workflow`. Below it, rest speaks the
// API, listing asks once for all, and githubtest is a GitHub for tests.
package github

import (
	_ "embed" // the schema fragments
	"slices"

	"github.com/redundctl/redundctl/engine/answer"
	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/kind/github/checkout"
	"github.com/redundctl/redundctl/engine/kind/github/setup"
	"github.com/redundctl/redundctl/schema"
)

//go:embed dispatch.json
var dispatch []byte

//go:embed primary.json
var primary []byte

// Kinds are the step kinds `github/workflow`, `github/checkout`,
// `github/setup` and `github/dispatch`. others are the kinds of other systems
// that stand in for actions of GitHub's in a workflow.
func Kinds(others []kind.Action) []kind.Action {
	own := []kind.Action{checkout.Kind(), setup.Kind()}
	return slices.Concat([]kind.Action{Workflow(slices.Concat(own, others))}, own, []kind.Action{Dispatch()})
}

// decode reads `with` into a struct.
func decode(with map[string]any, into any) error { return schema.Decode(with, into) }

// words are a list of words, or one.
func words(v any) []string {
	switch x := v.(type) {
	case nil:
		return nil
	case []any:
		out := make([]string, len(x))
		for i := range x {
			out[i] = answer.Text(x[i])
		}
		return out
	case []string:
		return x
	}
	return []string{answer.Text(v)}
}

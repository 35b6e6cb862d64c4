package eval

import (
	"testing"

	"github.com/redundctl/redundctl/engine/pipeline"
)

// TestDeclared holds that a kind is given the secrets which the pipeline
// declares, whether a step names them or not, and no others.
func TestDeclared(t *testing.T) {
	t.Parallel()
	secret := Declared(&pipeline.Pipeline{Secrets: []string{"TOKEN", "UNSET"}}, map[string]string{"TOKEN": "t", "OTHER": "o"})
	for name, want := range map[string]struct {
		value string
		ok    bool
	}{"TOKEN": {"t", true}, "token": {"t", true}, "UNSET": {"", true}, "OTHER": {"", false}, "": {"", false}} {
		if v, ok := secret(name); v != want.value || ok != want.ok {
			t.Errorf("%s: %q, %v", name, v, ok)
		}
	}
}

package app

import (
	"testing"

	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/diag"
)

// TestBegun holds that a folder whose pipelines cannot be read is a project all
// the same: that it is none would be the wrong cause, with the wrong way out.
func TestBegun(t *testing.T) {
	t.Parallel()
	for rule, want := range map[string]bool{"unreadable": true, "missing-folder": false} {
		p := &config.Project{Root: t.TempDir(), ConfigFile: "redund.yaml", Problems: []diag.Problem{{Rule: rule}}}
		if got := begun(p); got != want {
			t.Errorf("%s: %v, want %v", rule, got, want)
		}
	}
}

package source

import (
	"strings"
	"testing"

	"github.com/redundctl/redundctl/engine/diag"
)

// TestRulesAreShown holds that the examples of the rules of this package are
// true: the bad one has the problem and the good one none. Those that no text
// can show (a size, another encoding) are only comments.
func TestRulesAreShown(t *testing.T) {
	t.Parallel()
	ours := []string{
		"too-large", "not-utf8", "control-character", "merge-conflict", "yaml-syntax", "empty-document", "several-documents",
		"duplicate-key", "key-type", "merge-key", "custom-tag", "number-form", "too-deep", "too-many-aliases", "alias-cycle",
	}
	for _, id := range ours {
		r, ok := diag.RuleByID(id)
		if !ok {
			t.Errorf("%s is not in the table", id)
			continue
		}
		_, bad := Parse("f.yaml", []byte(r.Bad), Limits{})
		if comment := !strings.Contains(r.Bad, "\nname:"); !comment && (len(bad) != 1 || bad[0].Rule != id) {
			t.Errorf("%s: the bad example has %v", id, bad)
		}
		if _, good := Parse("f.yaml", []byte(r.Good), Limits{}); len(good) > 0 {
			t.Errorf("%s: the good example has %v", id, good)
		}
	}
}

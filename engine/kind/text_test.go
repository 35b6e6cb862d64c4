package kind_test

import (
	"strings"
	"testing"

	"github.com/redundctl/redundctl/engine/kind"
)

func TestName(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"": "x", "---": "x", "日本": "x", "Sync All": "sync-all", "--a__b--": "a-b", "nightlyBuild": "nightly-build", "v2Deploy": "v2-deploy", "CI": "ci",
		strings.Repeat("a", 80): strings.Repeat("a", 63), strings.Repeat("a", 62) + "-b": strings.Repeat("a", 62),
	} {
		if got := kind.Name(kind.Words(in), "x"); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestConflict(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]int{"": 0, "a\n<<<<<<< x\n": 2, ">>>>>>> x": 1, "a <<<<<<< x\n": 0, "=======\n": 0} {
		if got := kind.Conflict([]byte(in)); got != want {
			t.Errorf("%q: %d, want %d", in, got, want)
		}
	}
}

package temp

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// TestSweepLeavesOtherSpaces holds that the directory of a process of another
// PID namespace stays, and that of a dead one of ours goes.
func TestSweepLeavesOtherSpaces(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	ours, theirs := fmt.Sprintf("%s999999999-1-%s-x", prefix, space()), prefix+"999999999-1-1-x"
	for _, name := range []string{ours, theirs} {
		if err := os.Mkdir(filepath.Join(base, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	sweep(base)
	if _, err := os.Stat(filepath.Join(base, ours)); err == nil {
		t.Error("what a dead process left stays")
	}
	if _, err := os.Stat(filepath.Join(base, theirs)); err != nil {
		t.Error(err)
	}
}

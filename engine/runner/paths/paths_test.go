package paths

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestInside(t *testing.T) {
	t.Parallel()
	root, out := t.TempDir(), t.TempDir()
	for _, err := range []error{
		os.Mkdir(filepath.Join(root, "sub"), 0o700), os.Symlink(out, filepath.Join(root, "out")), os.Symlink("sub", filepath.Join(root, "in")),
		os.Symlink(filepath.Join(out, "nothing"), filepath.Join(root, "nowhere")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for path, ok := range map[string]bool{
		"sub": true, "new/file": true, "in/x": true, ".": true, "sub/../sub": true, "..name": true,
		"..": false, "../x": false, "out": false, "out/x": false, "nowhere": false, "nowhere/x": false, "sub/../../x": false,
	} {
		if _, err := Inside(root, filepath.Join(root, path)); (err == nil) != ok {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := Inside(root, "/etc/passwd"); err == nil || !strings.Contains(err.Error(), "/etc/passwd") {
		t.Errorf("the error does not name the path: %v", err)
	}
}

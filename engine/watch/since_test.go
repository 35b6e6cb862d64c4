package watch

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestSince holds that whoever has read files finds out whether they are still
// what was read.
func TestSince(t *testing.T) {
	for name, change := range map[string]func(dir string) error{
		"nothing": nil,
		"written": func(d string) error { return os.WriteFile(filepath.Join(d, "sub", "a.yaml"), []byte("b"), 0o600) },
		"new":     func(d string) error { return os.WriteFile(filepath.Join(d, "sub", "b.yaml"), nil, 0o600) },
		"removed": func(d string) error { return os.Remove(filepath.Join(d, "sub", "a.yaml")) },
		"moved":   func(d string) error { return os.Rename(filepath.Join(d, "sub"), filepath.Join(d, "other")) },
		"dated back": func(d string) error {
			old := time.Now().Add(-time.Hour)
			return os.Chtimes(filepath.Join(d, "sub", "a.yaml"), old, old)
		},
	} {
		dir, err := filepath.EvalSymlinks(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Join(dir, "sub"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "sub", "a.yaml"), []byte("a"), 0o600); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(dir)
		if err != nil {
			t.Fatal(err)
		}
		// Change times are those of the system: wait until one of now is later.
		read := info.ModTime().Add(4 * margin)
		time.Sleep(time.Until(read.Add(margin))) //nolint:forbidigo // the clock of the file system is what is asked
		if change != nil {
			if err := change(dir); err != nil {
				t.Fatal(err)
			}
		}
		w, err := New(Options{Paths: []string{dir}})
		if err != nil {
			t.Fatal(err)
		}
		if got := w.Since(read); got != (change != nil) {
			t.Errorf("%s: %t", name, got)
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}
}

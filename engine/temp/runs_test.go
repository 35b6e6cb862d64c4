package temp

import (
	"os"
	"path/filepath"
	"testing"
)

// TestRunsPassOn holds that the directory of a run goes to the next one, under a
// new name, when the run left nothing in it but empty files that nobody writes
// to; any other is removed with all that is in it.
func TestRunsPassOn(t *testing.T) {
	t.Parallel()
	other := t.TempDir()
	for name, c := range map[string]struct {
		leave func(dir string) error
		again bool
	}{
		"nothing":                 {func(string) error { return nil }, true},
		"an empty file":           {func(d string) error { return os.WriteFile(d+"/x", nil, 0o600) }, true},
		"a file that holds text":  {func(d string) error { return os.WriteFile(d+"/x", []byte("secret"), 0o600) }, false},
		"a file for all to read":  {func(d string) error { return os.WriteFile(d+"/x", nil, 0o644) }, false},
		"a directory":             {func(d string) error { return os.Mkdir(d+"/x", 0o700) }, false},
		"a link":                  {func(d string) error { return os.Symlink(other, d+"/x") }, false},
		"an artifact":             {func(d string) error { return os.WriteFile(d+"/artifacts/x", nil, 0o600) }, false},
		"its directory opened up": {func(d string) error { return os.Chmod(d, 0o755) }, false},
		"its directory locked":    {func(d string) error { return os.Chmod(d, 0) }, false},
		"itself removed":          {os.RemoveAll, false},
		"a linked file": {func(d string) error {
			if err := os.WriteFile(d+"/x", nil, 0o600); err != nil {
				return err
			}
			return os.Link(d+"/x", filepath.Join(other, "kept"))
		}, false},
		"a file that is written to": {func(d string) error {
			f, err := os.OpenFile(d+"/x", os.O_CREATE|os.O_WRONLY, 0o600)
			t.Cleanup(func() { f.Close() })
			return err
		}, false},
	} {
		r := &Runs{Dir: t.TempDir()}
		dir, err := r.Take()
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range []string{dir, filepath.Join(dir, Artifacts)} {
			if info, err := os.Lstat(d); err != nil || info.Mode() != os.ModeDir|0o700 {
				t.Errorf("%s: %v, %v", d, info, err)
			}
		}
		if err := c.leave(dir); err != nil {
			t.Fatal(name, err)
		}
		if _, err := os.Lstat(filepath.Join(dir, Artifacts, "x")); r.Left(dir) != (err == nil || name == "itself removed" || name == "its directory locked" && os.Geteuid() != 0) {
			t.Errorf("%s: whether artifacts were left is told wrong", name)
		}
		if err := r.Give(dir); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Lstat(dir); !os.IsNotExist(err) {
			t.Errorf("%s: the old name is still there: %v", name, err)
		}
		spares := append([]string(nil), r.spares...)
		if (len(spares) == 1) != c.again {
			t.Errorf("%s: %v are kept", name, spares)
		}
		next, err := r.Take()
		if err != nil || c.again && next != spares[0] {
			t.Errorf("%s: %s after %v, %v", name, next, spares, err)
		}
		if all, err := filepath.Glob(r.Dir + "/*"); err != nil || len(all) != 1 {
			t.Errorf("%s: there are %v, %v", name, all, err)
		}
	}
}

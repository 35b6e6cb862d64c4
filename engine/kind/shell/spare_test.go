package shell

import (
	"os"
	"path/filepath"
	"testing"
)

// TestSpareFiles holds that an empty file which a step left as it was is used
// again under a new name, and that one which the step did anything to is not. The
// old name is gone with the step.
func TestSpareFiles(t *testing.T) {
	t.Parallel()
	other := t.TempDir()
	for name, c := range map[string]struct {
		touch func(path string) error
		again bool
	}{
		"untouched":  {func(string) error { return nil }, true},
		"written":    {func(p string) error { return os.WriteFile(p, []byte("a=1\n"), 0o600) }, false},
		"opened up":  {func(p string) error { return os.Chmod(p, 0o644) }, false},
		"linked":     {func(p string) error { return os.Link(p, filepath.Join(other, "kept")) }, false},
		"replaced":   {func(p string) error { return replace(p, filepath.Join(other, "secret")) }, false},
		"taken away": {os.Remove, false},
	} {
		f, dir := &files{}, t.TempDir()
		x := file{dir: dir, prefix: handed}
		if err := f.take(&x); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Lstat(x.path); err != nil || info.Mode() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
		if err := c.touch(x.path); err != nil {
			t.Fatal(err)
		}
		f.give(&x)
		if _, err := os.Lstat(x.path); !os.IsNotExist(err) {
			t.Errorf("%s: the old name is still there: %v", name, err)
		}
		spares := append([]string(nil), f.spares...)
		if (len(spares) == 1) != c.again {
			t.Errorf("%s: %v are kept", name, spares)
		}
		script := file{dir: dir, prefix: "script-", text: "exit 0\n"}
		if err := f.take(&script); err != nil || c.again && script.path == spares[0] {
			t.Errorf("%s: a script lies in %s, %v", name, script.path, err)
		}
		f.give(&script)
		y := file{dir: dir, prefix: handed}
		if err := f.take(&y); err != nil || c.again && y.path != spares[0] {
			t.Errorf("%s: %s after %v, %v", name, y.path, spares, err)
		}
		if all, err := filepath.Glob(dir + "/*"); err != nil || len(all) != 1 {
			t.Errorf("%s: there are %v, %v", name, all, err)
		}
	}
}

func replace(path, by string) error {
	if err := os.Remove(path); err != nil {
		return err
	}
	return os.Symlink(by, path)
}

// TestSpareFilesOfAnotherRun holds that no file passes from one run to another.
func TestSpareFilesOfAnotherRun(t *testing.T) {
	t.Parallel()
	f := &files{}
	x, y := file{dir: t.TempDir()}, file{dir: t.TempDir()}
	if err := f.take(&x); err != nil {
		t.Fatal(err)
	}
	f.give(&x)
	if err := f.take(&y); err != nil || filepath.Dir(y.path) != y.dir {
		t.Errorf("%s, %v", y.path, err)
	}
	if err := os.RemoveAll(x.dir); err != nil {
		t.Fatal(err)
	}
	f.give(&y)
	if err := f.take(&file{dir: x.dir}); err == nil {
		t.Error("a directory that is gone gives files")
	}
}

package shell

import (
	"os"
	"path/filepath"
	"strconv"
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
		spares := append([]string(nil), f.spares[dir]...)
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

// TestSpareFilesOfAnotherRun holds that no file passes from one run to another but
// with its directory, and then under a new name.
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
	from, to := t.TempDir(), filepath.Join(t.TempDir(), "next")
	z := file{dir: from, prefix: handed}
	if err := f.take(&z); err != nil {
		t.Fatal(err)
	}
	f.give(&z)
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
	there, err := filepath.Glob(to + "/*")
	if err != nil || len(there) != 1 {
		t.Fatal(there, err)
	}
	for i := range 2 {
		x := file{dir: to, prefix: handed}
		if err := f.take(&x); err != nil || (x.path == there[0]) != (i == 0) {
			t.Errorf("%s after %v, %v", x.path, there, err)
		}
	}
}

// TestSparesAreBounded holds that what is known of directories does not grow
// with the runs.
func TestSparesAreBounded(t *testing.T) {
	t.Parallel()
	f, dir := &files{}, t.TempDir()
	for i := range 3 * mostSpares {
		x := file{dir: filepath.Join(dir, strconv.Itoa(i)), prefix: handed}
		if err := os.Mkdir(x.dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := f.take(&x); err != nil {
			t.Fatal(err)
		}
		f.give(&x)
	}
	if len(f.spares) > mostSpares {
		t.Errorf("%d directories are known", len(f.spares))
	}
}

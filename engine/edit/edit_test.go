package edit

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redundctl/redundctl/engine/source"
)

const text = "version: 1\nname: a   # the name\nschedule:\n  - cron: \"0 4 * * *\" # nightly\n  - {every: 15m}\nsteps: [{run: echo}]\n"

func TestFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, link := filepath.Join(dir, "a.yaml"), filepath.Join(dir, "link.yaml")
	write(t, file, text)
	if err := os.Chmod(file, 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("a.yaml", link); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		change func(*source.File) ([]byte, error)
		want   string
	}{
		{"a flag that is not there", func(f *source.File) ([]byte, error) { return Flag(f, []any{"enabled"}, false) },
			strings.Replace(text, "# the name\n", "# the name\nenabled: false\n", 1)},
		{"a flag that is there", func(f *source.File) ([]byte, error) { return Flag(f, []any{"enabled"}, true) },
			strings.Replace(text, "# the name\n", "# the name\nenabled: true\n", 1)},
		{"a cron", func(f *source.File) ([]byte, error) { return Cron(f, 0, "*/5 * * * *") },
			strings.NewReplacer("# the name\n", "# the name\nenabled: true\n", "0 4 * * *", "*/5 * * * *").Replace(text)},
	} {
		if err := File(link, c.change); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if got := read(t, file); got != c.want {
			t.Errorf("%s: %q", c.name, got)
		}
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v", err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("the mode has changed: %v, %v", info.Mode(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".redund*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "a.yaml")
	cron := func(i int) func(*source.File) ([]byte, error) {
		return func(f *source.File) ([]byte, error) { return Cron(f, i, "* * * * *") }
	}
	for _, c := range []struct {
		name, text, want string
		change           func(*source.File) ([]byte, error)
	}{
		{"which one", text, "--index", cron(-1)},
		{"no such index", text, "none with index 2", cron(2)},
		{"an interval", text, "has no cron", cron(1)},
		{"no schedule", "name: a\n", "has no schedule", cron(-1)},
		{"broken", "a: [\n", "mend it first", cron(-1)},
		{"changed meanwhile", text, "somebody else", func(f *source.File) ([]byte, error) {
			write(t, file, text+"# more\n")
			return Cron(f, 0, "* * * * *")
		}},
	} {
		write(t, file, c.text)
		err := File(file, c.change)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
		if c.name != "changed meanwhile" && read(t, file) != c.text {
			t.Errorf("%s: the file has changed", c.name)
		}
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

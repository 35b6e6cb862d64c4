package watch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// generous is how long a test waits for what must come.
const generous = 20 * time.Second

// field is a folder under a running watch.
type field struct {
	*testing.T
	dir     string
	watcher *Watcher
	changes chan Change
	before  map[string]bool // paths that were wanted
}

// watched runs a watch of the folder "in" of a new one, which has what the names
// say, or of other paths there.
func watched(t *testing.T, o Options, files ...string) *field {
	t.Helper()
	return hooked(t, o, hooks{}, files...)
}

func hooked(t *testing.T, o Options, h hooks, files ...string) *field {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	f := &field{T: t, dir: dir, changes: make(chan Change, 1000), before: map[string]bool{}}
	for _, name := range files {
		f.write(name, "first")
	}
	if o.Paths == nil {
		o.Paths = []string{"in"}
	}
	for i, p := range o.Paths {
		o.Paths[i] = f.at(p)
	}
	if o.Rescan == 0 {
		o.Rescan = time.Hour // events alone
	}
	if f.watcher, err = begin(o, h); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.watcher.Run(ctx, func(c Change) { f.changes <- c }) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Run: %v", err)
		}
		if err := f.watcher.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func (f *field) at(name string) string { return filepath.Join(f.dir, name) }

func (f *field) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

func (f *field) write(name, text string) {
	f.Helper()
	f.must(os.MkdirAll(filepath.Dir(f.at(name)), 0o755))
	f.must(os.WriteFile(f.at(name), []byte(text), 0o644))
}

// next is the next change, its paths relative to the field.
func (f *field) next() Change {
	f.Helper()
	select {
	case c := <-f.changes:
		if c.First.IsZero() || time.Since(c.First) > generous {
			f.Errorf("First is %v", c.First)
		}
		if !slices.IsSorted(c.Paths) || len(slices.Compact(slices.Clone(c.Paths))) != len(c.Paths) {
			f.Errorf("not sorted and distinct: %v", c.Paths)
		}
		for i, p := range c.Paths {
			c.Paths[i] = strings.TrimPrefix(p, f.dir+"/")
		}
		return c
	case <-time.After(generous):
		f.Fatal("no change was told")
	}
	return Change{}
}

// gathers waits until the changes together name the wanted paths, and no others
// but those that were wanted before: on a slow machine a file may be told twice.
func (f *field) gathers(want ...string) (all bool) {
	f.Helper()
	missing := map[string]bool{}
	for _, p := range want {
		missing[p], f.before[p] = true, true
	}
	for len(missing) > 0 {
		c := f.next()
		all = all || c.All
		for _, p := range c.Paths {
			if !f.before[p] {
				f.Fatalf("told %v, want %v", c.Paths, want)
			}
			delete(missing, p)
		}
	}
	return all
}

// settle waits until all that was done before has been told.
func (f *field) settle() {
	f.Helper()
	f.write("mark", time.Now().String())
	f.must(os.Rename(f.at("mark"), f.at("in/mark")))
	for !slices.Contains(f.next().Paths, "in/mark") {
	}
}

// alive proves that the watch still tells of a file.
func (f *field) alive(name string) {
	f.Helper()
	f.write(name, "alive "+time.Now().String())
	f.gathers(name)
}

func (f *field) command(name string, args ...string) {
	f.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = f.at("in")
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "HOME="+f.dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		f.Fatalf("%s: %v\n%s", name, err, out)
	}
}

// The ways in which programs write one file, each done twice: a watch may
// survive the first alone.
func TestWaysOfWriting(t *testing.T) {
	t.Parallel()
	ways := map[string]func(f *field, n int){
		"in place": func(f *field, n int) { f.write("in/a.yaml", fmt.Sprint(n)) },
		"same length, time set back": func(f *field, n int) {
			f.write("in/a.yaml", fmt.Sprint("abc", n))
			f.must(os.Chtimes(f.at("in/a.yaml"), time.Unix(1e9, 0), time.Unix(1e9, 0)))
		},
		"append": func(f *field, n int) {
			w, err := os.OpenFile(f.at("in/a.yaml"), os.O_APPEND|os.O_WRONLY, 0)
			f.must(err)
			_, err = w.WriteString("more")
			f.must(err)
			f.must(w.Close())
		},
		"write and rename": func(f *field, n int) {
			f.write("in/.a.yaml.tmp", fmt.Sprint(n))
			f.must(os.Rename(f.at("in/.a.yaml.tmp"), f.at("in/a.yaml")))
		},
		"renamed from elsewhere": func(f *field, n int) {
			f.write("tmp", fmt.Sprint(n))
			f.must(os.Rename(f.at("tmp"), f.at("in/a.yaml")))
		},
		"delete and create": func(f *field, n int) {
			f.must(os.Remove(f.at("in/a.yaml")))
			f.write("in/a.yaml", fmt.Sprint(n))
		},
		"vim with a backup": func(f *field, n int) {
			f.write("in/.a.yaml.swp", "swap")
			f.must(os.Rename(f.at("in/a.yaml"), f.at("in/.a.yaml~")))
			f.write("in/a.yaml", fmt.Sprint(n))
			f.must(os.Chmod(f.at("in/a.yaml"), 0o644))
			f.must(os.Remove(f.at("in/.a.yaml~")))
			f.must(os.Remove(f.at("in/.a.yaml.swp")))
		},
		"mode":   func(f *field, n int) { f.must(os.Chmod(f.at("in/a.yaml"), os.FileMode(0o600+n))) },
		"touch":  func(f *field, n int) { f.command("touch", "a.yaml") },
		"sed -i": func(f *field, n int) { f.command("sed", "-i", fmt.Sprintf("1s/.*/line %d/", n), "a.yaml") },
		"a link over": func(f *field, n int) {
			f.must(os.WriteFile(f.at(fmt.Sprint("other", n)), nil, 0o644))
			f.must(os.Symlink(f.at(fmt.Sprint("other", n)), f.at("in/.link")))
			f.must(os.Rename(f.at("in/.link"), f.at("in/a.yaml")))
		},
	}
	for name, way := range ways {
		for _, file := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, file %v", name, file), func(t *testing.T) {
				t.Parallel()
				o := Options{}
				if file {
					o.Paths = []string{"in/a.yaml"}
				}
				f := watched(t, o, "in/a.yaml", "in/b.yaml")
				for n := range 2 {
					way(f, n)
					f.gathers("in/a.yaml")
				}
				f.alive("in/a.yaml")
			})
		}
	}
}

func TestGitCheckout(t *testing.T) {
	t.Parallel()
	var lock atomic.Pointer[string]
	f := watched(t, Options{Hold: func() bool {
		p := lock.Load()
		if p == nil {
			return false
		}
		_, err := os.Lstat(*p)
		return err == nil
	}}, "in/x.yaml")
	path := f.at("in/.git/index.lock")
	lock.Store(&path)
	f.command("git", "init", "-q")
	var names []string
	for i := range 300 {
		names = append(names, fmt.Sprintf("in/s%d/%03d.yaml", i%10, i))
		f.write(names[i], "one")
	}
	f.command("git", "add", ".")
	f.command("git", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "one")
	for _, n := range names {
		f.write(n, "two, longer")
	}
	f.settle()
	begin := time.Now()
	f.command("git", "checkout", "-q", "--", ".")
	took := time.Since(begin)
	c := f.next()
	if len(c.Paths) != 300 && took < patience/2 {
		t.Errorf("the first change has %d of 300 files; git took %v", len(c.Paths), took)
	}
	f.before["in/mark"] = true
	for _, n := range names {
		f.before[n] = true
	}
	f.alive(names[7])
}

func TestFolders(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		files []string
		do    func(f *field)
		want  []string
		all   bool
	}{
		"new, with files in it": {nil, func(f *field) { f.write("in/new/deep/er/a.yaml", "x") }, []string{"in/new/deep/er/a.yaml"}, false},
		"moved in":              {[]string{"out/n/a.yaml"}, func(f *field) { f.must(os.Rename(f.at("out"), f.at("in/out"))) }, []string{"in/out/n/a.yaml"}, false},
		"renamed":               {[]string{"in/n/a.yaml"}, func(f *field) { f.must(os.Rename(f.at("in/n"), f.at("in/m"))) }, []string{"in/m/a.yaml", "in/n/a.yaml"}, true},
		"removed":               {[]string{"in/n/a.yaml"}, func(f *field) { f.must(os.RemoveAll(f.at("in/n"))) }, []string{"in/n/a.yaml"}, true},
		"root replaced": {[]string{"new/a.yaml"}, func(f *field) {
			f.must(os.Rename(f.at("in"), f.at("old")))
			f.must(os.Rename(f.at("new"), f.at("in")))
		}, []string{"in/a.yaml", "in/b.yaml"}, true},
		"root removed and made anew": {nil, func(f *field) {
			f.must(os.RemoveAll(f.at("in")))
			f.write("in/b.yaml", "again")
		}, []string{"in/b.yaml"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := watched(t, Options{}, append(c.files, "in/b.yaml")...)
			c.do(f)
			// A folder made anew may have the number of the old one.
			if all := f.gathers(c.want...); all != c.all && name != "root removed and made anew" {
				t.Errorf("All is %v", all)
			}
			f.alive(c.want[0])
		})
	}
}

// 200 times a folder and a file in it at once: none is lost, and all are watched.
func TestNewFoldersAreNotLost(t *testing.T) {
	t.Parallel()
	f := watched(t, Options{}, "in/b.yaml")
	var want []string
	for i := range 200 {
		want = append(want, fmt.Sprintf("in/%d/a.yaml", i))
		f.write(want[i], "x")
	}
	f.gathers(want...)
	f.alive(want[42])
}

func TestMissingPathsAppear(t *testing.T) {
	t.Parallel()
	f := watched(t, Options{Paths: []string{"no/such/in", "nor/file.yaml"}})
	f.write("no/such/in/sub/a.yaml", "x")
	f.gathers("no/such/in/sub/a.yaml")
	f.write("nor/other.yaml", "x")
	f.alive("nor/file.yaml")
	f.must(os.RemoveAll(f.at("no")))
	f.gathers("no/such/in/sub/a.yaml")
	f.alive("no/such/in/sub/a.yaml")
}

// A release that is swapped by a link, above the watched folder and at it.
func TestSwappedLinks(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"current", "current/in", "deep/link/in"} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			dir, err := filepath.EvalSymlinks(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			f := &field{T: t, dir: dir}
			for _, v := range []string{"one", "two"} {
				f.write(v+"/in/a.yaml", v)
			}
			f.must(os.Mkdir(f.at("deep"), 0o755))
			f.must(os.Symlink("one", f.at("current")))
			f.must(os.Symlink("../current", f.at("deep/link")))
			g := watched(t, Options{Paths: []string{relative(t, f.at(path))}})
			g.dir = f.dir
			file := filepath.Join(path, "a.yaml")
			if path == "current" {
				file = "current/in/a.yaml"
			}
			for _, v := range []string{"two", "one"} {
				f.must(os.Symlink(v, f.at("next")))
				f.must(os.Rename(f.at("next"), f.at("current")))
				if !g.gathers(file) {
					t.Error("All is not set")
				}
				f.write(v+"/in/a.yaml", "changed in "+v)
				g.gathers(file)
			}
		})
	}
}

// relative makes a path that watched joins to its own folder.
func relative(t *testing.T, path string) string {
	t.Helper()
	return strings.Repeat("../", 30) + path[1:]
}

// A mounted ConfigMap: no event names the file that changes.
func TestConfigMap(t *testing.T) {
	t.Parallel()
	f := watched(t, Options{}, "in/..1/a.yaml", "in/other/b.yaml")
	f.must(os.Symlink("..1", f.at("in/..data")))
	f.must(os.Symlink("..data/a.yaml", f.at("in/a.yaml")))
	f.gathers("in/a.yaml")
	for n := 2; n < 4; n++ {
		f.write(fmt.Sprintf("in/..%d/a.yaml", n), "new")
		f.must(os.Symlink(fmt.Sprintf("..%d", n), f.at("in/..tmp")))
		f.must(os.Rename(f.at("in/..tmp"), f.at("in/..data")))
		f.must(os.RemoveAll(f.at(fmt.Sprintf("in/..%d", n-1))))
		f.gathers("in/a.yaml")
	}
	// Written where the link leads.
	f.write("in/..3/a.yaml", "in place")
	f.gathers("in/a.yaml")
}

func TestLinksInCircles(t *testing.T) {
	t.Parallel()
	f := watched(t, Options{}, "in/a/x.yaml", "in/b/y.yaml")
	f.must(os.Symlink("..", f.at("in/a/up")))
	f.must(os.Symlink("loop", f.at("in/loop")))
	f.must(os.Symlink("../b", f.at("in/a/b")))
	f.gathers("in/loop", "in/a/b/y.yaml", "in/b/y.yaml") // reached by its first path from now on
	f.alive("in/a/x.yaml")
	f.write("in/b/y.yaml", "changed")
	f.gathers("in/a/b/y.yaml")
}

func TestLeftOut(t *testing.T) {
	t.Parallel()
	f := watched(t, Options{Ignore: func(p string) bool { return filepath.Base(p) == "logs" || filepath.Ext(p) == ".log" }},
		"in/a.yaml", "in/.hidden/b.yaml", "in/logs/c.yaml", "in/d.log")
	f.write("in/.hidden/b.yaml", "x")
	f.write("in/.e.yaml", "x")
	f.write("in/logs/c.yaml", "x")
	f.write("in/d.log", "x")
	f.write("beside.yaml", "x")
	f.alive("in/a.yaml")
	if c := f.watcher.concerns(fsnotify.Event{Name: f.at("in/d.log"), Op: fsnotify.Write}); c {
		t.Error("an ignored file wakes the watch")
	}
	if c := f.watcher.concerns(fsnotify.Event{Name: f.at("beside.yaml"), Op: fsnotify.Write}); c {
		t.Error("a file beside the folder wakes the watch")
	}
}

package watch

import (
	"fmt"
	"os"
	"testing"
)

// TestGlance holds what is looked at by itself after an event, and what makes
// all be looked at.
func TestGlance(t *testing.T) {
	f := &field{T: t, dir: t.TempDir()}
	for _, name := range []string{"in/a.yaml", "in/sub/b.yaml", "alone.yaml", "beside.yaml"} {
		f.write(name, "first")
	}
	w, err := New(Options{Paths: []string{f.at("in"), f.at("alone.yaml")}, Ignore: func(p string) bool { return p == f.at("in/x.log") }})
	f.must(err)
	defer w.Close()
	glance := func(want string, names ...string) {
		t.Helper()
		paths := map[string]bool{}
		for _, n := range names {
			paths[f.at(n)] = true
		}
		got, ok := w.glance(paths)
		for i := range got {
			got[i] = got[i][len(f.dir)+1:]
		}
		if s := fmt.Sprint(got, ok); s != want {
			t.Errorf("%q: %s, want %s", names, s, want)
		}
	}
	f.write("in/a.yaml", "second")
	f.write("in/sub/b.yaml", "second")
	glance("[in/a.yaml in/sub/b.yaml] true", "in/a.yaml", "in/sub/b.yaml")
	f.write("alone.yaml", "second")
	glance("[alone.yaml] true", "alone.yaml", "in/.swap", "in/x.log", "in/came-and-went")
	f.write("in/new.yaml", "new")
	glance("[in/new.yaml] true", "in/new.yaml")
	glance("[in/new.yaml] true", "in/new.yaml") // just written: it may have changed by nothing that shows
	f.must(os.Remove(f.at("in/new.yaml")))
	glance("[in/new.yaml] true", "in/new.yaml")
	glance("[] true", "in/new.yaml")
	glance("[] false", "in/sub") // a folder, which may be another one
	glance("[] false", "in", "alone.yaml")
	glance("[] false", "elsewhere/a.yaml")
	f.must(os.Mkdir(f.at("in/more"), 0o755))
	glance("[] false", "in/more")
	f.must(os.Symlink("a.yaml", f.at("in/link.yaml")))
	glance("[] false", "in/link.yaml")
	f.must(os.Link(f.at("in/a.yaml"), f.at("in/hard.yaml")))
	glance("[] false", "in/hard.yaml")
	w.last = w.look()
	glance("[] false", "in/a.yaml") // which has several paths now
	f.must(os.Remove(f.at("in/hard.yaml")))
	w.last = w.look()
	glance("[] false", "in/sub/b.yaml") // where a link leads shows to a whole look alone
}

package artifact

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine/kind"
)

// caches are the files that caches are.
func (b *bench) caches() []string {
	b.t.Helper()
	list, err := filepath.Glob(filepath.Join(b.home, ".cache", "redundctl", "caches", "*", "*"))
	if err != nil {
		b.t.Fatal(err)
	}
	return list
}

// save and restore are the two steps of a cache; restore gives what cache-hit and
// cache-matched-key say.
func (b *bench) save(with map[string]any) {
	b.t.Helper()
	with["save"] = true
	if _, err := b.run(Cache(), with); err != nil {
		b.t.Fatal(err)
	}
	delete(with, "save")
	b.now = b.now.Add(time.Second)
}

func (b *bench) restore(with map[string]any) string {
	b.t.Helper()
	out, err := b.run(Cache(), with)
	if err != nil {
		b.t.Fatal(err)
	}
	return fmt.Sprintf("%v %v", out.Values["cache-hit"], out.Values["cache-matched-key"])
}

func (b *bench) clear(path string) {
	b.t.Helper()
	if err := os.RemoveAll(filepath.Join(b.root, path)); err != nil {
		b.t.Fatal(err)
	}
}

func TestCacheByName(t *testing.T) {
	b := newBench(t)
	with := map[string]any{"name": "site", "path": []any{"node_modules", "!node_modules/.cache"}}
	if got := b.restore(with); got != " " {
		t.Errorf("before any: %q", got)
	}
	b.put("node_modules/a/x.js", "1")
	b.put("node_modules/.bin/tool", "2")
	b.put("node_modules/.cache/big", "3")
	b.link("../a/x.js", "node_modules/.bin/x")
	if err := os.Chmod(filepath.Join(b.root, "node_modules/.bin/tool"), 0o755); err != nil {
		t.Fatal(err)
	}
	old := time.Date(2024, 1, 2, 3, 4, 5, 0, time.UTC)
	if err := os.Chtimes(filepath.Join(b.root, "node_modules/a/x.js"), old, old); err != nil {
		t.Fatal(err)
	}
	b.save(with)
	b.clear("node_modules")
	b.put("node_modules/a/x.js", "changed")
	if got := b.restore(with); got != "true site" {
		t.Error(got)
	}
	if got := tree(t, filepath.Join(b.root, "node_modules")); got != ".bin/tool=2 .bin/x->../a/x.js a/x.js=1" {
		t.Error(got)
	}
	info, err := os.Stat(filepath.Join(b.root, "node_modules/.bin/tool"))
	if err != nil || info.Mode().Perm() != 0o755 {
		t.Error(info.Mode(), err)
	}
	if info, _ = os.Stat(filepath.Join(b.root, "node_modules/a/x.js")); !info.ModTime().Equal(old) {
		t.Error(info.ModTime())
	}
	b.put("node_modules/a/x.js", "new")
	b.save(with) // a name is saved anew
	b.clear("node_modules")
	b.restore(with)
	if got := tree(t, filepath.Join(b.root, "node_modules", "a")); got != "x.js=new" {
		t.Error(got)
	}
	// Another list of paths is another cache, and so is another pipeline's.
	if got := b.restore(map[string]any{"name": "site", "path": "node_modules"}); got != " " {
		t.Error(got)
	}
	if len(b.caches()) != 1 {
		t.Error(b.caches())
	}
	for _, f := range b.caches() {
		if info, err := os.Stat(f); err != nil || info.Mode().Perm() != 0o600 {
			t.Error(info.Mode(), err)
		}
	}
}

func TestCacheByKey(t *testing.T) {
	b := newBench(t)
	with := func(key string, more ...any) map[string]any {
		return map[string]any{"path": "dir", "key": key, "restore-keys": strings.Join(strings.Fields(fmt.Sprint(more...)), "\n")}
	}
	b.put("dir/a", "1")
	b.save(with("npm-linux-1"))
	b.put("dir/a", "2")
	b.save(with("npm-linux-2"))
	b.put("dir/a", "3")
	b.save(with("npm-linux-1")) // is there already, and stays
	if !strings.Contains(b.out.String(), "already") {
		t.Error(b.out.String())
	}
	for _, c := range []struct {
		with      map[string]any
		want, dir string
	}{
		{with("npm-linux-1"), "true npm-linux-1", "a=1"},
		{with("npm-linux-2"), "true npm-linux-2", "a=2"},
		{with("npm-linux"), "false npm-linux-2", "a=2"}, // the newest that begins so
		{with("npm-mac-1", "npm-mac- npm-"), "false npm-linux-2", "a=2"},
		{with("x", "npm-linux-1 npm-"), "false npm-linux-1", "a=1"},
		{with("x", "y"), " ", ""},
		{with("npm-linux-1-and-more"), " ", ""},
	} {
		b.clear("dir")
		if got := b.restore(c.with); got != c.want || tree(t, filepath.Join(b.root, "dir")) != c.dir {
			t.Errorf("%v: %q, %s", c.with, got, tree(t, filepath.Join(b.root, "dir")))
		}
	}
	b.clear("dir")
	look := with("npm-linux-1")
	look["lookup-only"] = true
	if got := b.restore(look); got != "true npm-linux-1" || tree(t, filepath.Join(b.root, "dir")) != "" {
		t.Errorf("looked: %s", got)
	}
	miss := with("none")
	miss["fail-on-cache-miss"] = true
	if _, err := b.run(Cache(), miss); err == nil || !strings.Contains(err.Error(), "none") {
		t.Errorf("%v", err)
	}
}

// TestSaver holds what the runner of workflows does: Run, later Save of the same
// action.
func TestSaver(t *testing.T) {
	b := newBench(t)
	once := func(text string) {
		t.Helper()
		a, err := Cache().Build(map[string]any{"path": "dir", "key": "k"}, kind.Deps{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.Run(t.Context(), b.scope()); err != nil {
			t.Fatal(err)
		}
		b.put("dir/a", text)
		if err := a.(Saver).Save(t.Context(), b.scope()); err != nil {
			t.Fatal(err)
		}
	}
	once("1")
	once("2") // found, so not saved again
	b.clear("dir")
	b.restore(map[string]any{"path": "dir", "key": "k"})
	if got := tree(t, b.root); got != "dir/a=1" {
		t.Error(got)
	}
}

// TestDamaged holds that a cache of which any byte is another is none, changes
// nothing, and is gone.
func TestDamaged(t *testing.T) {
	b := newBench(t)
	b.put("dir/a", strings.Repeat("text ", 100))
	b.save(map[string]any{"path": "dir", "key": "k"})
	file := b.caches()[0]
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	b.clear("dir")
	bad := [][]byte{{}, whole[:5], whole[:len(whole)/2], whole[:len(whole)-4], []byte("no archive"), append(bytes.Clone(whole[:len(whole)-8]), 0, 0, 0, 0, 0, 0, 0, 0)}
	for i := 20; i < len(whole); i += 7 {
		x := bytes.Clone(whole)
		x[i] ^= 0x41
		bad = append(bad, x)
	}
	for i, text := range bad {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if got := b.restore(map[string]any{"path": "dir", "key": "k"}); got != " " {
			if tree(t, filepath.Join(b.root, "dir")) != "a="+strings.Repeat("text ", 100) { // a letter of the header does not matter
				t.Errorf("%d: %q", i, got)
			}
			b.clear("dir")
			continue
		}
		if got := tree(t, b.root); got != "" {
			t.Errorf("%d: restored %s", i, got)
		}
		if left := b.caches(); len(left) != 0 {
			t.Errorf("%d: it is still there", i)
		}
		if !strings.Contains(b.out.String(), "warning") {
			t.Errorf("%d: %s", i, b.out.String())
		}
	}
}

// TestCacheStays holds that nothing outside of the project is saved or written.
func TestCacheStays(t *testing.T) {
	b := newBench(t)
	outside := filepath.Join(b.home, "outside")
	if err := os.MkdirAll(outside, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(outside, "a"), []byte("theirs"), 0o600); err != nil {
		t.Fatal(err)
	}
	b.put("dir/a", "1")
	b.put(".env", "KEY=s3cret")
	b.put(".redund/db", "state")
	with := map[string]any{"path": "dir\n~/outside\n" + outside + "\n../outside\n.env\n.redund", "key": "k"}
	b.save(with)
	if n := strings.Count(b.out.String(), "lies outside"); n != 3 {
		t.Errorf("%d: %s", n, b.out.String())
	}
	for _, f := range []string{"dir", ".env", ".redund"} {
		b.clear(f)
	}
	b.restore(with)
	if got := tree(t, b.root); got != "dir/a=1" {
		t.Error(got)
	}
	// A folder that has become a link to outside is not followed.
	b.clear("dir")
	b.link(outside, "dir")
	if got := b.restore(with); got != " " || !strings.Contains(b.out.String(), "warning") {
		t.Errorf("%q %s", got, b.out.String())
	}
	if text, _ := os.ReadFile(filepath.Join(outside, "a")); string(text) != "theirs" {
		t.Error("written outside of the project")
	}
	b.clear("dir")
	if err := os.MkdirAll(filepath.Join(b.root, ".redund"), 0o700); err != nil {
		t.Fatal(err)
	}
	b.link(".redund", "dir")
	b.restore(with)
	if got := tree(t, filepath.Join(b.root, ".redund")); got != "" {
		t.Errorf("written into the state directory: %s", got)
	}
}

func TestKeys(t *testing.T) {
	b := newBench(t)
	b.put("dir/a", "1")
	for _, bad := range []map[string]any{
		{"key": strings.Repeat("x", 513)}, {"key": "a,b"}, {"key": "a\nb"}, {"key": "a", "restore-keys": strings.Repeat("x", 513)}, {}, {"name": "a/b"}, {"name": ".."},
	} {
		bad["path"] = "dir"
		if _, err := Cache().Build(bad, kind.Deps{}); err == nil {
			t.Errorf("%.40v was built", bad)
		}
	}
	b.save(map[string]any{"path": "dir", "key": "with-s3cret"})
	if !strings.Contains(b.out.String(), "secret") || strings.Contains(b.out.String(), "s3cret") || len(b.caches()) != 0 {
		t.Errorf("%s %v", b.out.String(), b.caches())
	}
	// A key may be of any letters.
	odd := map[string]any{"path": "dir", "key": "ä/../" + strings.Repeat("../", 50) + "x"}
	b.save(odd)
	if got := b.restore(odd); !strings.HasPrefix(got, "true") {
		t.Error(got)
	}
}

// TestAtOnce holds that many who save and restore at once see a whole cache or
// none.
func TestAtOnce(t *testing.T) {
	b := newBench(t)
	b.put("dir/a", strings.Repeat("x", 1<<16))
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			a, err := Cache().Build(map[string]any{"path": "dir", "name": "n", "save": i%2 == 0}, kind.Deps{})
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := a.Run(t.Context(), b.scope()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if strings.Contains(b.out.String(), "damaged") {
		t.Error(b.out.String())
	}
	if list := b.caches(); len(list) != 1 {
		t.Error(list)
	}
	if got := tree(t, filepath.Join(b.root, "dir")); got != "a="+strings.Repeat("x", 1<<16) {
		t.Errorf("%.60s", got)
	}
}

func TestNowhere(t *testing.T) {
	b := newBench(t)
	b.put("dir/a", "1")
	a, err := Cache().Build(map[string]any{"path": "dir", "key": "k"}, kind.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	for _, env := range [][]string{nil, {"HOME=relative"}, {"HOME=/proc/none"}} {
		s := b.scope()
		s.Env = env
		if err := a.(Saver).Save(t.Context(), s); err != nil || !strings.Contains(b.out.String(), "warning") {
			t.Errorf("%v: %v %s", env, err, b.out.String())
		}
		if out, err := a.Run(t.Context(), s); err != nil || out.Values["cache-hit"] != "" {
			t.Errorf("%v: %v %v", env, out, err)
		}
	}
}

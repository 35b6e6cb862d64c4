package kept

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine/kind/artifact/files"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// bench is a project with one file of noise, and the caches of it.
type bench struct {
	t    *testing.T
	root string
	dir  *Dir
	now  time.Time
}

func newBench(t *testing.T, limit int64) *bench {
	t.Helper()
	t.Parallel()
	home := t.TempDir()
	b := &bench{t: t, root: filepath.Join(home, "project"), now: time.Now()}
	if err := os.Mkdir(b.root, 0o700); err != nil {
		t.Fatal(err)
	}
	var err error
	b.dir, err = Open(Options{Env: []string{"XDG_CACHE_HOME=" + home}, Root: b.root, Paths: []string{"noise"}, Limit: limit, Now: func() time.Time { return b.now }})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// save keeps as many bytes that cannot be packed, and lets some time pass.
func (b *bench) save(key string, size int) error {
	b.t.Helper()
	noise := make([]byte, size)
	_, _ = rand.Read(noise)
	if err := os.WriteFile(filepath.Join(b.root, "noise"), noise, 0o600); err != nil {
		b.t.Fatal(err)
	}
	picked, err := files.Pick(b.t.Context(), &pipeline.Scope{Root: b.root, Dir: b.root}, files.Options{Patterns: []string{"noise"}})
	if err != nil {
		b.t.Fatal(err)
	}
	_, err = b.dir.Save(b.t.Context(), Content{Key: key, Dir: b.root, Picked: picked})
	b.now = b.now.Add(time.Hour)
	return err
}

func (b *bench) keys(all ...string) string {
	var out []string
	for _, k := range all {
		if e, err := b.dir.Find(k, nil); err == nil && e != nil {
			out = append(out, k)
		}
	}
	return strings.Join(out, " ")
}

func (b *bench) target() Target {
	return Target{Dir: b.root, Root: b.root, Closed: func(string) bool { return false }}
}

// TestLimit holds that the longest unused go when there is too much, that use
// counts, and that one which alone is too large is refused.
func TestLimit(t *testing.T) {
	b := newBench(t, 35_000)
	for _, k := range []string{"a", "b", "c"} {
		if err := b.save(k, 10_000); err != nil {
			t.Fatal(err)
		}
	}
	e, err := b.dir.Find("a", nil)
	if err != nil || e == nil {
		t.Fatal(err)
	}
	if n, err := b.dir.Restore(t.Context(), e, b.target()); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	b.now = b.now.Add(time.Hour)
	if err := b.save("d", 10_000); err != nil {
		t.Fatal(err)
	}
	if got := b.keys("a", "b", "c", "d"); got != "a c d" {
		t.Errorf("left are %s", got)
	}
	if err := b.save("huge", 40_000); err == nil || !strings.Contains(err.Error(), "larger") {
		t.Errorf("%v", err)
	}
	list, err := os.ReadDir(b.dir.path)
	if err != nil || len(list) != 3 {
		t.Errorf("%v, %v", list, err)
	}
}

// TestUnused holds that what nobody uses goes, and what dead processes began.
func TestUnused(t *testing.T) {
	b := newBench(t, 0)
	if err := b.save("old", 100); err != nil {
		t.Fatal(err)
	}
	begun := filepath.Join(b.dir.path, temp+"x")
	if err := os.WriteFile(begun, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	b.now = b.now.Add(Unused - 3*time.Hour)
	if err := b.save("young", 100); err != nil || b.keys("old", "young") != "old young" {
		t.Errorf("%v, %s", err, b.keys("old", "young"))
	}
	if _, err := os.Stat(begun); err == nil {
		t.Error("what a dead process began is still there")
	}
	b.now = b.now.Add(3 * time.Hour)
	if err := b.save("new", 100); err != nil || b.keys("old", "young", "new") != "young new" {
		t.Errorf("%v, %s", err, b.keys("old", "young", "new"))
	}
}

// TestForged holds that an archive which somebody else made writes nothing outside
// of the project.
func TestForged(t *testing.T) {
	b := newBench(t, 0)
	if err := b.save("k", 10); err != nil {
		t.Fatal(err)
	}
	e, err := b.dir.Find("k", nil)
	if err != nil {
		t.Fatal(err)
	}
	told, err := json.Marshal(header{"k", "", b.dir.paths(), b.now})
	if err != nil {
		t.Fatal(err)
	}
	file := func(name string) []*tar.Header {
		return []*tar.Header{{Name: name, Typeflag: tar.TypeReg, Mode: 0o600}}
	}
	for i, headers := range [][]*tar.Header{
		file("../outside"), file("/outside"), file("a/../../outside"), file("."), file(""),
		{{Name: "dev", Typeflag: tar.TypeChar}}, {{Name: "hard", Typeflag: tar.TypeLink, Linkname: "/etc/passwd"}}, {{Name: "dir/", Typeflag: tar.TypeDir}},
		{{Name: "up", Typeflag: tar.TypeSymlink, Linkname: ".."}, {Name: "up/outside", Typeflag: tar.TypeReg, Mode: 0o600}},
	} {
		var out bytes.Buffer
		z := gzip.NewWriter(&out)
		z.Extra = told
		w := tar.NewWriter(z)
		for _, h := range headers {
			if err := w.WriteHeader(h); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(w.Close(), z.Close(), os.WriteFile(e.file, out.Bytes(), 0o600)); err != nil {
			t.Fatal(err)
		}
		if _, err := b.dir.Restore(t.Context(), e, b.target()); err == nil {
			t.Errorf("%d: %v was restored", i, headers[0].Name)
		}
	}
	if list, err := filepath.Glob(filepath.Join(filepath.Dir(b.root), "outside*")); err != nil || len(list) > 0 {
		t.Error(fmt.Sprint("written outside: ", list))
	}
}

// TestLongKey holds that the longest key that there may be is found again: a
// comment in a header of gzip would end after 512 bytes.
func TestLongKey(t *testing.T) {
	b := newBench(t, 0)
	key := "key " + strings.Repeat("<", 512)
	if err := b.save(key, 10); err != nil {
		t.Fatal(err)
	}
	e, err := b.dir.Find("key <<<other", []string{"key <<<"})
	if err != nil || e == nil || e.Key != key {
		t.Fatalf("found %+v, %v", e, err)
	}
	if n, err := b.dir.Restore(t.Context(), e, Target{Dir: b.root, Root: b.root, Closed: func(string) bool { return false }}); n != 1 || err != nil {
		t.Errorf("restored %d, %v", n, err)
	}
}

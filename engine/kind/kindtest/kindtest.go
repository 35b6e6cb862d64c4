// Package kindtest is what the dry run of every kind must pass: it changes
// nothing anywhere.
package kindtest

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/proc"
)

// Client is an http.Client that fails the test for any request but GET and
// HEAD. next nil: the default transport.
func Client(t testing.TB, next http.RoundTripper) *http.Client {
	if next == nil {
		next = http.DefaultTransport
	}
	return &http.Client{Transport: reading{t, next}}
}

// Spawner starts processes until the test ends.
func Spawner(t testing.TB) *proc.Spawner {
	t.Helper()
	p, err := proc.New(proc.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// Write writes a file, and the folders above it; one that begins as a script does
// can be run.
func Write(t testing.TB, file, text string) {
	t.Helper()
	mode := os.FileMode(0o644)
	if strings.HasPrefix(text, "#!") {
		mode = 0o755
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

type reading struct {
	t    testing.TB
	next http.RoundTripper
}

// RoundTrip lets requests through that only read.
func (r reading) RoundTrip(q *http.Request) (*http.Response, error) {
	if q.Method != http.MethodGet && q.Method != http.MethodHead && q.Method != "" {
		r.t.Errorf("a dry run sent %s %s", q.Method, q.URL.Redacted())
		return nil, fmt.Errorf("%s in a dry run", q.Method)
	}
	return r.next.RoundTrip(q)
}

// Plan runs the action's dry run and fails when the content, the mode or the
// time of anything below Root, State or Dir is another afterwards, the git
// directory included; when a program was started that does not only read, which
// is refused; and when a process is still there. It returns what Plan said.
//
// Programs are known by their names, as they are found in the PATH of the
// scope's Env: one that is started by its full path is seen only by what it does.
func Plan(t testing.TB, a pipeline.Action, s *pipeline.Scope) ([]pipeline.Effect, error) {
	t.Helper()
	before := snapshot(t, s)
	w, watched := watched(t, s)
	effects, err := a.Plan(t.Context(), watched)
	w.done()
	after := snapshot(t, s)
	for p, was := range before {
		if is, ok := after[p]; !ok || is != was {
			t.Errorf("a dry run changed %s: %q, before %q", p, is, was)
		}
	}
	for p := range after {
		if _, ok := before[p]; !ok {
			t.Errorf("a dry run made %s", p)
		}
	}
	return effects, err
}

func snapshot(t testing.TB, s *pipeline.Scope) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, root := range []string{s.Root, s.Dir, s.State} {
		if root == "" {
			continue
		}
		err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			var content string
			switch {
			case info.Mode().IsRegular():
				text, err := os.ReadFile(p)
				if err != nil {
					return err
				}
				content = fmt.Sprintf("%x", sha256.Sum256(text))
			case info.Mode()&fs.ModeSymlink != 0:
				content, err = os.Readlink(p)
			}
			out[p] = fmt.Sprint(info.Mode(), info.ModTime().UnixNano(), content)
			return err
		})
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	return out
}

package survey

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/redundctl/redundctl/engine/kind/github/workflow"
)

// files are those of a repository.
func files(m map[string]string) workflow.Reader {
	return func(name string) ([]byte, error) {
		if text, ok := m[name]; ok {
			return []byte(text), nil
		}
		return nil, fs.ErrNotExist
	}
}

// TestDeep follows what a workflow uses, however it uses itself.
func TestDeep(t *testing.T) {
	t.Parallel()
	s, err := Look(files(map[string]string{
		"x.yml":                   "on: push\njobs:\n  a: {uses: ./.github/workflows/y.yml}\n  b: {runs-on: ubuntu-latest, steps: [{uses: ./c}, {uses: ./d}]}\n",
		".github/workflows/y.yml": "on: workflow_call\njobs:\n  a: {uses: ./.github/workflows/y.yml}\n",
		"c/action.yml":            "runs: {using: composite, steps: [{uses: ./c}]}",
		"d/action.yaml":           "runs: {using: docker, image: x}",
	}), "x.yml")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, b := range s.Blocked("") {
		got = append(got, b.String())
	}
	want := []string{"call each other too deeply", "use each other too deeply", "d/action.yaml:1:15: runs.using: containers"}
	if len(got) != len(want) {
		t.Fatalf("%q", got)
	}
	for i := range want {
		if !strings.Contains(got[i], want[i]) {
			t.Errorf("%q, want %q", got[i], want[i])
		}
	}
}

func TestLook(t *testing.T) {
	t.Parallel()
	var bad *workflow.Fault
	if _, err := Look(files(nil), "x.yml"); !errors.As(err, &bad) || err.Error() != "x.yml: the workflow cannot be read: file does not exist" {
		t.Error(err)
	}
	s, err := Look(files(map[string]string{
		"x.yml":                   "on: push\njobs:\n  a: {uses: ./.github/workflows/y.yml}\n  b: {uses: ./.github/workflows/z.yml}\n",
		".github/workflows/y.yml": "on: push\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: x}]}}\n",
		".github/workflows/z.yml": "<<<<<<< a\n",
	}), "x.yml")
	if err != nil {
		t.Fatal(err)
	}
	got := s.Blocked("push")
	if len(got) != 2 || !strings.Contains(got[0].Why, "y.yml has no on.workflow_call") || got[0].Given || !strings.Contains(got[1].Why, ".github/workflows/z.yml:1: a merge conflict") {
		t.Errorf("%+v", got)
	}
}

// FuzzLook has one text stand for every file.
func FuzzLook(f *testing.F) {
	f.Add([]byte("on: workflow_call\njobs:\n  a: {uses: ./.github/workflows/y.yml}\n  b: {steps: [{uses: ./c}]}\n"))
	f.Add([]byte("runs: {using: composite, steps: [{uses: ./c}, {uses: ./.github/workflows/y.yml}]}\njobs: {a: {if: false, steps: [{uses: ./c}]}}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := Look(func(string) ([]byte, error) { return text, nil }, "x.yml")
		if err != nil {
			return
		}
		for _, b := range append(s.Blocked("schedule"), s.Blocked("")...) {
			if strings.Contains(b.String(), "\n") || b.Why == "" {
				t.Errorf("%+v", b)
			}
		}
	})
}

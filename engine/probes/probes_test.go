package probes_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/loaded"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/probes"
)

const fragment = `{"type": "object", "description": "A primary of a test.", "additionalProperties": false, "required": ["url"], "properties": {
  "url": {"type": "string", "pattern": "^https?://", "x-form": "an address", "description": "Where."},
  "tries": {"type": "integer", "default": 3, "description": "How often."},
  "token": {"type": "string", "default": "", "description": "With what."}
}}`

type probe func(ctx context.Context, w pipeline.Window) (pipeline.Reading, error)

func (p probe) Probe(ctx context.Context, w pipeline.Window) (pipeline.Reading, error) {
	return p(ctx, w)
}

// load gives the set of a project with one pipeline whose primary is of the kind
// fake, with these keys.
func load(t *testing.T, keys string, build func(map[string]any, kind.PrimaryDeps) (pipeline.Probe, error)) *loaded.Set {
	t.Helper()
	root := t.TempDir()
	kinds := &kind.Set{Primaries: []kind.Primary{{Name: "fake", Fragment: []byte(fragment), Build: build}}}
	for name, text := range map[string]string{
		"redund.yaml": "vars: {host: example.com}\n",
		".env":        "PASS=hunter22\n",
		"pipelines/pm2/api.yaml": "name: api\nsecrets: [PASS]\nenv: {WHERE: \"${{ vars.host }}\"}\n" +
			"primary: {fake: " + keys + "}\nservice: {run: sleep 1000}\n",
	} {
		path := filepath.Join(root, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	none := func(string) (string, bool) { return "", false }
	p := config.Load(t.Context(), config.Options{Dir: root, Kinds: kinds, Env: none})
	if len(p.Pipelines) != 1 {
		t.Fatal(p.Problems)
	}
	s, err := loaded.New(p, kinds, none, kind.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestBuild(t *testing.T) {
	t.Parallel()
	var with map[string]any
	var deps kind.PrimaryDeps
	s := load(t, `{url: "https://${{ env.WHERE }}/${{ pipeline.name }}", token: "${{ secrets.PASS }}"}`, func(w map[string]any, d kind.PrimaryDeps) (pipeline.Probe, error) {
		with, deps = w, d
		return probe(func(context.Context, pipeline.Window) (pipeline.Reading, error) {
			return pipeline.Reading{
				Verdict: pipeline.Up, Reason: "as hunter22\nsaid",
				Evidence: map[string]any{"a": []any{"x hunter22"}, "n": 1, "l": []string{"hunter22"}},
			}, nil
		}), nil
	})
	asked := ""
	beats := func(_ context.Context, id string, _ time.Time) ([]pipeline.Heartbeat, error) {
		asked = id
		return nil, nil
	}
	x, err := probes.Build(s, s.Project.Pipelines[0], probes.Options{Heartbeats: beats})
	if err != nil {
		t.Fatal(err)
	}
	if same, err := probes.Build(s, s.Project.Pipelines[0], probes.Options{Before: x}); err != nil || same != x {
		t.Errorf("the same probe was made anew: %v", err)
	}
	if err := os.WriteFile(filepath.Join(s.Project.Root, ".env"), []byte("PASS=hunter222\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if other, err := probes.Build(s, s.Project.Pipelines[0], probes.Options{Before: x}); err != nil || other == x {
		t.Errorf("with another secret: %v", err)
	}
	with, deps = nil, kind.PrimaryDeps{}
	if err := os.WriteFile(filepath.Join(s.Project.Root, ".env"), []byte("PASS=hunter22\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if x, err = probes.Build(s, s.Project.Pipelines[0], probes.Options{Heartbeats: beats}); err != nil {
		t.Fatal(err)
	}
	if with["url"] != "https://example.com/api" || with["token"] != "hunter22" || fmt.Sprint(with["tries"]) != "3" {
		t.Errorf("the keys are %v", with)
	}
	if v, ok := deps.Secret("PASS"); !ok || v != "hunter22" || deps.Root != s.Project.Root || !strings.Contains(strings.Join(deps.Env, " "), "WHERE=example.com") {
		t.Errorf("the probe is given %+v", deps)
	}
	if _, err := deps.Heartbeats(t.Context(), time.Time{}); err != nil || asked != "pm2/api" {
		t.Errorf("heartbeats of %q, %v", asked, err)
	}
	r := x.Look(t.Context(), pipeline.Window{})
	if r.Verdict != pipeline.Up || r.Reason != "as *** said" || fmt.Sprint(r.Evidence) != "map[a:[x ***] l:[***] n:1]" {
		t.Errorf("the reading is %+v", r)
	}
}

// TestRotatedTokenLeavesNothing: what probes have in common for a token goes with
// the last probe that is made with it, and not because one cannot be made.
func TestRotatedTokenLeavesNothing(t *testing.T) {
	t.Parallel()
	s := load(t, `{url: "https://x", token: "${{ secrets.PASS }}"}`, func(w map[string]any, d kind.PrimaryDeps) (pipeline.Probe, error) {
		d.Shared.Get("token "+fmt.Sprint(w["token"]), func() any { return 1 })
		if w["token"] == "broken99" {
			return nil, errors.New("it is broken")
		}
		return probe(nil), nil
	})
	shared := &kind.Shared{}
	for n, token := range []string{"hunter22", "hunter23", "hunter24", "broken99", "hunter24", "hunter25"} {
		if err := os.WriteFile(filepath.Join(s.Project.Root, ".env"), []byte("PASS="+token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := probes.Build(s, s.Project.Pipelines[0], probes.Options{Shared: shared})
		if broken := token == "broken99"; (err != nil) != broken || shared.Len() > 1 && !broken || broken && shared.Len() != 2 {
			t.Errorf("%d: %d values are kept: %v", n, shared.Len(), err)
		}
	}
}

// TestBuildSaysWhatIsWrong: what expressions made is checked, and secrets are not
// told.
func TestBuildSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	none := func(map[string]any, kind.PrimaryDeps) (pipeline.Probe, error) {
		return nil, errors.New("no hunter22 here")
	}
	for keys, want := range map[string]string{
		`{url: "${{ secrets.PASS }}"}`: "primary.fake: url ",
		`{url: "https://x"}`:           "primary.fake: no *** here",
	} {
		s := load(t, keys, none)
		_, err := probes.Build(s, s.Project.Pipelines[0], probes.Options{})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter22") {
			t.Errorf("%s: %v", keys, err)
		}
	}
	s := load(t, `{url: "https://x"}`, nil)
	x, err := probes.Build(s, s.Project.Pipelines[0], probes.Options{})
	if err != nil || x.Look(t.Context(), pipeline.Window{}).Verdict != pipeline.Unknown {
		t.Errorf("a kind without probes: %+v, %v", x, err)
	}
}

func TestLookEnds(t *testing.T) {
	t.Parallel()
	var how probe
	s := load(t, `{url: "https://x"}`, func(map[string]any, kind.PrimaryDeps) (pipeline.Probe, error) {
		return probe(func(ctx context.Context, w pipeline.Window) (pipeline.Reading, error) { return how(ctx, w) }), nil
	})
	x, err := probes.Build(s, s.Project.Pipelines[0], probes.Options{})
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		look := func() pipeline.Reading {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			return x.Look(ctx, pipeline.Window{})
		}
		how = func(context.Context, pipeline.Window) (pipeline.Reading, error) { panic("no") }
		if r := look(); r.Verdict != pipeline.Unknown || !strings.Contains(r.Reason, "mistake") {
			t.Errorf("a panic reads as %+v", r)
		}
		how = func(context.Context, pipeline.Window) (pipeline.Reading, error) {
			<-time.After(20 * time.Second) // heeds nothing
			return pipeline.Reading{Verdict: pipeline.Up}, nil
		}
		from := time.Now()
		for range 3 { // none begins another beside it
			if r := look(); r.Verdict != pipeline.Unknown {
				t.Errorf("a look that hangs reads as %+v", r)
			}
		}
		if took := time.Since(from); took != 18*time.Second {
			t.Errorf("three looks took %s", took)
		}
		if r := look(); r.Verdict != pipeline.Unknown || time.Since(from) != 20*time.Second {
			t.Errorf("what a look says that was given up is %+v", r)
		}
		how = func(context.Context, pipeline.Window) (pipeline.Reading, error) {
			return pipeline.Reading{Verdict: pipeline.Up}, nil
		}
		if r := look(); r.Verdict != pipeline.Up {
			t.Errorf("after it ended: %+v", r)
		}
	})
}

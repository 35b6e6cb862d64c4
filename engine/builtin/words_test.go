package builtin_test

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/redundctl/redundctl/engine/builtin"
	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/schema"
	"github.com/redundctl/redundctl/schema/reference"
)

// TestWords holds that the Go structs and the schema have the same keys.
func TestWords(t *testing.T) {
	t.Parallel()
	s := builtin.Kinds().Schemas()
	for _, c := range []struct {
		path       string
		word       any
		goOnly     []string // of the struct alone
		schemaOnly []string
	}{
		{"pipeline", pipeline.Pipeline{}, nil, nil},
		{"steps", pipeline.Step{}, nil, nil},
		{"on-failure", pipeline.Step{}, nil, nil},
		{"steps.matrix", pipeline.Matrix{}, []string{"axes", "expr"}, nil},
		{"steps.retry", pipeline.Retry{}, nil, nil},
		{"schedule", pipeline.Schedule{}, nil, nil},
		{"schedule.dst", pipeline.DST{}, nil, nil},
		{"drill", pipeline.Drill{}, nil, nil},
		{"params", pipeline.Param{}, nil, nil},
		{"primary", pipeline.Primary{}, []string{"kind", "with"}, kinds()},
		{"service", pipeline.Service{}, nil, nil},
		{"service.restart", pipeline.Restart{}, nil, nil},
		{"service.stop", pipeline.ServiceStop{}, nil, nil},
		{"action", pipeline.ActionFile{}, nil, []string{"kind", "version"}},
		{"action.inputs", pipeline.Param{}, nil, nil},
		{"action.outputs", pipeline.Output{}, nil, nil},
	} {
		topic, err := s.Explain(c.path)
		if err != nil {
			t.Fatal(err)
		}
		var want, got []string
		for _, k := range topic.Keys {
			if name := k.Path[strings.LastIndexByte(k.Path, '.')+1:]; !slices.Contains(c.schemaOnly, name) {
				want = append(want, name)
			}
		}
		word := reflect.TypeOf(c.word)
		for i := range word.NumField() {
			if name := word.Field(i).Tag.Get("json"); name != "-" && !slices.Contains(c.goOnly, name) {
				got = append(got, name)
			}
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %s has the keys\n%v\nand the schema\n%v", c.path, word, got, want)
		}
	}
}

func kinds() []string {
	var out []string
	for _, k := range builtin.Kinds().Primaries {
		out = append(out, k.Name)
	}
	return out
}

// TestForms holds that the schema takes the same durations and sizes as the
// words do.
func TestForms(t *testing.T) {
	t.Parallel()
	s := builtin.Kinds().Schemas()
	step := map[string]any{"run": "echo"}
	p := map[string]any{"name": "p", "steps": []any{step}}
	for _, text := range []string{
		"", "0", "0s", "5", "5s", "-5s", "+5s", "1h30m", "1.5h", "7d", "1d12h", "12h1d", "d", "1dd", "1e3s", "1e3d", "36501d", "1d-1h", "99999999999h", "5m ", " 5m", "1_0s", "µs", "1µs", "1us", ".5s", "5.s", "0d", "0x5s", "Infd",
		"5B", "5KiB", "5 MiB", "1.5GiB", "5kb", "KiB", "5TiB", "99999999TiB", "5PiB", "1e3KiB", "-5KiB", "5KB", "５KiB",
	} {
		d, err := pipeline.ParseDuration(text)
		step["timeout"] = text
		if ok := len(s.Pipeline(p)) == 0; ok != (err == nil && d > 0) {
			t.Errorf("duration %q: the schema says %v, the words %v %v", text, ok, d, err)
		}
		delete(step, "timeout")
		step["retry"] = map[string]any{"delay": text}
		if ok := len(s.Pipeline(p)) == 0; ok != (err == nil) {
			t.Errorf("duration or zero %q: the schema says %v, the words %v %v", text, ok, d, err)
		}
		delete(step, "retry")
		_, err = pipeline.ParseSize(text)
		step["memory-limit"] = text
		if ok := len(s.Pipeline(p)) == 0; ok != (err == nil) {
			t.Errorf("size %q: the schema says %v, the words %v", text, ok, err)
		}
		delete(step, "memory-limit")
	}
}

// TestDefaults fills and decodes a file with nothing but what it must have.
func TestDefaults(t *testing.T) {
	t.Parallel()
	s := builtin.Kinds().Schemas()
	v := map[string]any{"name": "p", "x-own": 1, "steps": []any{map[string]any{"run": "echo", "retry": map[string]any{"attempts": int64(3)}}, map[string]any{"uses": "github/checkout"}},
		"schedule": []any{map[string]any{"every": "15m"}}}
	if issues := s.Pipeline(v); len(issues) > 0 {
		t.Fatal(issues)
	}
	s.FillPipeline(v)
	var p pipeline.Pipeline
	if err := schema.Decode(v, &p); err != nil {
		t.Fatal(err)
	}
	minute := pipeline.Duration(time.Minute)
	retry := pipeline.Retry{Attempts: 1, Delay: pipeline.Duration(time.Second), Backoff: "exponential", MaxDelay: minute}
	if p.Retry != retry || p.Timeout != 60*minute || !p.Enabled || p.Version != 1 || p.Missed != "run-once" || p.WorkingDirectory != "." {
		t.Errorf("pipeline: %+v", p)
	}
	if p.Primary != nil || p.Service != nil || p.Drill != nil || p.Mode != "" || p.Steps[0].Matrix != nil {
		t.Errorf("what was left out is there: %+v", p)
	}
	retry.Attempts = 3
	if p.Steps[0].Retry != retry || !p.Steps[0].FailFast || !slices.Equal(p.Steps[0].SuccessCodes, []int{0}) {
		t.Errorf("step: %+v", p.Steps[0])
	}
	if p.Steps[1].With["fetch-depth"] != int64(1) {
		t.Errorf("with: %+v", p.Steps[1].With)
	}
	if (p.Schedule[0] != pipeline.Schedule{Every: 15 * minute, Timezone: "UTC", DST: pipeline.DST{Gap: "shift", Fold: "first"}}) {
		t.Errorf("schedule: %+v", p.Schedule[0])
	}
	if _, ok := v["x-own"]; ok {
		t.Error("the user's own key is still there")
	}
	if issues := s.Pipeline(v); len(issues) > 0 {
		t.Errorf("a filled pipeline is not valid: %v", issues)
	}
}

// TestFillGood fills every good document, which must stay good and decode, and
// filling twice must change nothing.
func TestFillGood(t *testing.T) {
	t.Parallel()
	s := builtin.Kinds().Schemas()
	for _, d := range read(t, "good") {
		v := d.v.(map[string]any)
		fill := map[string]func(map[string]any){"pipeline": s.FillPipeline, "action": s.FillAction, "config": s.FillConfig}[d.doc]
		fill(v)
		if issues := check(s, d.doc, v); len(issues) > 0 {
			t.Errorf("%s: filled: %v", d.name, issues)
		}
		once, err := yaml.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		fill(v)
		if twice, err := yaml.Marshal(v); err != nil || string(twice) != string(once) {
			t.Errorf("%s: filling it twice changes it (%v)", d.name, err)
		}
	}
}

// TestKinds holds every shipped fragment to what the reference promises: it
// can be used, each key is described, its examples are valid and have defaults
// that are valid themselves.
func TestKinds(t *testing.T) {
	t.Parallel()
	set := builtin.Kinds()
	s := set.Schemas()
	for _, k := range set.Actions {
		if k.Key {
			continue
		}
		topic, err := s.Explain("uses." + k.Name)
		if err != nil || topic.Description == "" || topic.Example == "" {
			t.Errorf("%s: no description or example (%v)", k.Name, err)
		}
		described(t, s, topic)
		var with map[string]any
		if err := yaml.Unmarshal([]byte(topic.Example), &with); err != nil {
			t.Errorf("%s: its example %s: %v", k.Name, topic.Example, err)
		}
		step := map[string]any{"uses": k.Name, "with": with}
		p := map[string]any{"name": "p", "steps": []any{step}}
		for _, i := range s.Pipeline(p) {
			t.Errorf("%s: its example: %v: %s", k.Name, i.Path, i.Message)
		}
		s.FillPipeline(p)
		for _, i := range s.Pipeline(p) {
			t.Errorf("%s: its defaults: %v: %s", k.Name, i.Path, i.Message)
		}
	}
	for _, k := range set.Primaries {
		topic, err := s.Explain("primary." + k.Name)
		if err != nil || topic.Description == "" || topic.Example == "" {
			t.Errorf("primary %s: no description or example (%v)", k.Name, err)
		}
		described(t, s, topic)
		var keys map[string]any
		if err := yaml.Unmarshal([]byte(topic.Example), &keys); err != nil {
			t.Errorf("primary %s: its example %s: %v", k.Name, topic.Example, err)
		}
		p := map[string]any{"name": "p", "steps": []any{map[string]any{"run": "echo"}}, "primary": map[string]any{k.Name: keys}}
		for _, i := range s.Pipeline(p) {
			t.Errorf("primary %s: its example: %v: %s", k.Name, i.Path, i.Message)
		}
	}
}

func described(t *testing.T, s *schema.Set, topic schema.Topic) {
	t.Helper()
	for _, k := range topic.Keys {
		if k.Description == "" || k.Type == "" {
			t.Errorf("%s has no description or type", k.Path)
		}
		if deep, err := s.Explain(k.Path); err != nil {
			t.Errorf("%s: %v", k.Path, err)
		} else {
			described(t, s, deep)
		}
	}
}

// TestDescribed holds that every key of the language is described, and has a
// default or is required or one of several.
func TestDescribed(t *testing.T) {
	t.Parallel()
	s := builtin.Kinds().Schemas()
	for _, doc := range []string{"pipeline", "config", "action"} {
		topic, err := s.Explain(doc)
		if err != nil {
			t.Fatal(err)
		}
		described(t, s, topic)
	}
}

// TestGenerated holds that what is derived is what the schemas give.
func TestGenerated(t *testing.T) {
	t.Parallel()
	s := builtin.Kinds().Schemas()
	for _, doc := range []string{"pipeline", "config", "action"} {
		text, err := s.Combined(doc)
		if err != nil {
			t.Fatal(err)
		}
		page, err := reference.Page(s, doc)
		if err != nil {
			t.Fatal(err)
		}
		for file, want := range map[string]string{"../../schema/" + doc + ".schema.json": string(text), "../../docs/reference/" + doc + ".md": string(page)} {
			got, err := os.ReadFile(filepath.FromSlash(file))
			if err != nil || string(got) != want {
				t.Errorf("%s is stale: run `go generate ./...` (%v)", file, err)
			}
		}
	}
	if got, err := os.ReadFile(filepath.FromSlash("../../docs/problems.md")); err != nil || string(got) != diag.Page() {
		t.Errorf("docs/problems.md is stale: run `go generate ./...` (%v)", err)
	}
}

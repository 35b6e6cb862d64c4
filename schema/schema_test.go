package schema

import (
	"fmt"
	"math"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redundctl/redundctl/schema/internal/tree"
)

const greet = `{
  "type": "object", "title": "greet", "description": "Says hello.", "additionalProperties": false, "patternProperties": {"^x-": {}},
  "required": ["name"], "x-outputs": {"text": "What was said."}, "examples": [{"name": "Ada"}],
  "properties": {
    "name": {"type": "string", "minLength": 1, "description": "To whom."},
    "times": {"$ref": "#/$defs/count", "default": 1, "description": "How often."},
    "loud": {"type": "boolean", "default": false, "description": "In capitals."},
    "tone": {"anyOf": [{"type": "string", "enum": ["warm", "cold"]}, {"type": "array", "items": {"type": "string"}}], "description": "How."}
  },
  "$defs": {"count": {"type": "integer", "minimum": 1}}
}`

func set() *Set {
	return New(Fragments{
		Steps: map[string][]byte{"greet": []byte(greet), "a/b": []byte(`{"type":"object","additionalProperties":false,"properties":{"c":{"type":"string","description":"C."}}}`)},
		Primaries: map[string][]byte{"page": []byte(`{"type":"object","additionalProperties":false,"description":"A page.","required":["url"],"properties":{"url":{"type":"string","description":"Where."}}}`),
			"bare": []byte(`{"type":"object"}`)},
	})
}

func doc(steps ...any) map[string]any { return map[string]any{"name": "p", "steps": steps} }

func step(with map[string]any) map[string]any { return map[string]any{"uses": "greet", "with": with} }

func said(issues []Issue) string {
	var out []string
	for _, i := range issues {
		out = append(out, strings.Trim(fmt.Sprint(i.Path), "[]")+": "+i.Message)
	}
	return strings.Join(out, "\n")
}

func TestMessages(t *testing.T) {
	t.Parallel()
	s := set()
	for _, c := range []struct {
		v    any
		want string
	}{
		{doc(step(map[string]any{"name": "Ada"})), ""},
		{doc(step(map[string]any{"name": "Ada", "loud": "yes"})), "steps 0 with loud: must be true or false, not a text"},
		{doc(step(map[string]any{"name": "Ada", "loud": "${{ params.loud }}"})), ""},
		{doc(step(map[string]any{"name": "Ada", "times": int64(0)})), "steps 0 with times: must be at least 1"},
		{doc(step(map[string]any{"name": "Ada", "times": 1.5})), "steps 0 with times: must be an integer, not a number"},
		{doc(step(map[string]any{"name": "Ada", "tone": "hot"})), "steps 0 with tone: must be one of warm, cold"},
		{doc(step(map[string]any{"name": "Ada", "tone": 3})), "steps 0 with tone: must be one of warm, cold or a list"},
		{doc(step(map[string]any{"name": "Ada", "tone": []any{3}})), "steps 0 with tone 0: must be a text, not a number"},
		{doc(step(map[string]any{"nam": "Ada"})), `steps 0 with: unknown key "nam"`},
		{doc(map[string]any{"uses": "greet"}), "steps 0 with: name is missing"},
		{doc(map[string]any{"uses": "greeet", "with": map[string]any{}}), `steps 0 uses: unknown step kind "greeet"; known are a/b, greet, ./FILE and plugin:NAME`},
		{doc(map[string]any{"run": "a", "exec": []any{"b"}}), "steps 0: has run and exec, and takes only one of them"},
		{doc(map[string]any{"run": "a", "id": nil}), "steps 0 id: must be an id: small letters, digits, _ and -, a letter or _ first, and nothing is written here"},
		{map[string]any{"name": "p", "steps": []any{map[string]any{"run": "a"}}, "primary": map[string]any{}}, "primary: needs exactly one of bare, page"},
		{map[string]any{"name": "p", "steps": []any{map[string]any{"run": "a"}}, "mode": "standby"}, ": mode: standby needs primary"},
		{map[string]any{"name": "p", "steps": []any{map[string]any{"run": "a"}}, "env": map[string]any{"V": 1.1}},
			"env V: must be a text, a whole number, true or false; put a number with a fraction in quotes, for 1.10 would become 1.1"},
		{nil, ": must be a mapping, and nothing is written here"},
	} {
		if got := said(s.Pipeline(c.v)); got != c.want {
			t.Errorf("%v\n got %q\nwant %q", c.v, got, c.want)
		}
	}
}

// TestDeterministic holds that many mistakes come in one order.
func TestDeterministic(t *testing.T) {
	t.Parallel()
	bad := func() any {
		steps := make([]any, 12)
		for i := range steps {
			steps[i] = map[string]any{"uses": "greet", "b": 1, "a": 2, "retry": 3, "with": map[string]any{"z": 1, "y": 2, "times": "x"}}
		}
		return map[string]any{"z": 1, "y": 2, "steps": steps, "env": map[string]any{"1": "a", "2": "b"}}
	}
	first := set().Pipeline(bad())
	if len(first) < 12*6 {
		t.Fatalf("only %d issues", len(first))
	}
	if i := first[4].Path; !reflect.DeepEqual(i, []any{"env"}) {
		t.Errorf("the fifth is at %v", i)
	}
	for range 20 {
		if got := set().Pipeline(bad()); !reflect.DeepEqual(got, first) {
			t.Fatalf("another order:\n%v\n%v", said(got), said(first))
		}
	}
}

// TestHostile gives values that jsonschema dies of, or refuses with an error
// of another type.
func TestHostile(t *testing.T) {
	t.Parallel()
	deep := any("x")
	for range 10_000 {
		deep = []any{deep}
	}
	s := set()
	for name, v := range map[string]any{"not a number": math.NaN(), "infinite": math.Inf(1), "time": time.Time{}, "map of any": map[any]any{1: 2}, "struct": struct{}{}, "deep": deep} {
		for _, p := range []map[string]any{
			{"name": "p", "steps": []any{map[string]any{"run": "a"}}, "concurrency": v},
			{"name": "p", "steps": []any{map[string]any{"run": "a"}}, "description": v},
			doc(step(map[string]any{"name": "Ada", "times": v})),
		} {
			if len(s.Pipeline(p)) == 0 {
				t.Errorf("%s is accepted in %v", name, p)
			}
		}
		if len(s.Config(v)) == 0 || len(s.Action(v)) == 0 {
			t.Errorf("%s is accepted as a document", name)
		}
	}
}

func TestBrokenFragment(t *testing.T) {
	t.Parallel()
	for _, text := range []string{``, `[]`, `{} {}`, `{"properties": {"a": {"$ref": "#/definitions/none"}}}`, `{"type": "wrong"}`, `{"properties": {"a": {"$ref": "file:///etc/passwd"}}}`, `{"x-expr": 3}`, `{"x-rules": [{}]}`} {
		s := New(Fragments{Steps: map[string][]byte{"bad": []byte(text)}})
		got := s.Pipeline(doc(map[string]any{"uses": "bad", "with": map[string]any{"a": 1}}))
		if len(got) != 1 || got[0].Keyword != KeywordSchema {
			t.Errorf("%s: %v", text, got)
		}
		if got := s.Pipeline(doc(map[string]any{"run": "a"})); len(got) != 0 {
			t.Errorf("%s spoils other steps: %v", text, got)
		}
	}
}

func TestWith(t *testing.T) {
	t.Parallel()
	s := set()
	if got := s.With("greet", map[string]any{"name": "the text ${{ as it is }}"}); len(got) != 0 {
		t.Errorf("a text is refused: %v", got)
	}
	if got := said(s.With("greet", map[string]any{"name": "Ada", "loud": "${{ x }}"})); got != "loud: must be true or false, not a text" {
		t.Errorf("after expressions a text is no boolean: %q", got)
	}
	if got := said(s.With("greet", nil)); got != ": name is missing" {
		t.Error(got)
	}
	if got := s.With("nobody", nil); len(got) != 1 || s.With("./a.yaml", nil) != nil || s.With("plugin:a", nil) != nil {
		t.Error(got)
	}
	with := map[string]any{"name": "Ada", "loud": true, "x-own": 1}
	s.FillWith("greet", with)
	if want := map[string]any{"name": "Ada", "loud": true, "times": int64(1)}; !reflect.DeepEqual(with, want) {
		t.Errorf("filled: %v", with)
	}
	if out, ok := s.Outputs("greet"); !ok || out["text"] != "What was said." {
		t.Error(out, ok)
	}
	if _, ok := s.Outputs("a/b"); ok {
		t.Error("outputs of a kind that names none are known")
	}
}

func TestStrings(t *testing.T) {
	t.Parallel()
	got := map[string]bool{}
	set().Strings("pipeline", map[string]any{"description": "${{ no }}", "env": map[string]any{"A": "${{ a }}", "B": "plain"}, "x-own": "${{ no }}", "on-failure": []any{
		map[string]any{"uses": "greet", "if": "failure()", "with": map[string]any{"name": "hi ${{ b }}", "tone": []any{"${{ c }}"}}}}},
		Visit{Expression: func(path []any, text string, braces bool) { got[fmt.Sprint(path, text, braces)] = true }})
	for _, want := range []string{"[env A]${{ a }}true", "[on-failure 0 if]failure()false", "[on-failure 0 with name]hi ${{ b }}true", "[on-failure 0 with tone 0]${{ c }}true"} {
		if !got[strings.Replace(want, "]", "] ", 1)] && !got[want] {
			t.Errorf("%s is missing in %v", want, got)
		}
	}
	if len(got) != 4 {
		t.Errorf("too many: %v", got)
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	s := set()
	for path, want := range map[string]string{
		"steps.retry": "steps.retry", "steps.retry.delay": "steps.retry.delay", "greet.times": "uses.greet.times", "uses.greet.times": "uses.greet.times", "a/b.c": "uses.a/b.c",
		"primary.page.url": "primary.page.url", "primary.every": "primary.every", "config.server.listen": "config.server.listen", "action.inputs.type": "action.inputs.type",
		"schedule.cron": "schedule.cron", "on-failure.if": "on-failure.if", "service.ready.http.expect.status": "service.ready.http.expect.status", "config.systems.concurrency": "config.systems.concurrency",
		"config.environments.pipelines.mode": "config.environments.pipelines.mode", "": "", "config": "config", "pipeline.steps": "steps",
	} {
		topic, err := s.Explain(path)
		if err != nil || topic.Path != want {
			t.Errorf("%q: %q %v", path, topic.Path, err)
		}
	}
	topic, err := s.Explain("steps.retry.delay")
	if want := (Topic{Path: "steps.retry.delay", Type: "duration", Default: "1s", Constant: true, Description: topic.Description}); err != nil || !reflect.DeepEqual(topic, want) {
		t.Errorf("%+v %v", topic, err)
	}
	if keys := mustExplain(t, s, "").Keys; keys[0].Path != "version" || keys[1].Path != "name" || !keys[1].Required {
		t.Errorf("the keys are not as they are written: %+v", keys[:2])
	}
	for path, want := range map[string]string{
		"uses":               `there is no key "uses" at the top; did you mean steps.uses?`,
		"backoff":            `there is no key "backoff" at the top; did you mean retry.backoff?`,
		"steps.rety":         `there is no key "steps.rety"; did you mean steps.retry?`,
		"greett":             `there is no key "greett"; did you mean greet?`,
		"steps.id.foo":       `there is no key "steps.id.foo"; steps.id has no keys`,
		"steps.retry.colour": `there is no key "steps.retry.colour"; steps.retry has the keys attempts, backoff, delay, max-delay`,
	} {
		if _, err := s.Explain(path); err == nil || err.Error() != want {
			t.Errorf("%q: %v", path, err)
		}
	}
}

func mustExplain(t *testing.T, s *Set, path string) Topic {
	t.Helper()
	topic, err := s.Explain(path)
	if err != nil {
		t.Fatal(err)
	}
	return topic
}

// TestConcurrent is for the race detector: everything is read when it is first
// needed, by whoever comes first.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	s := set()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			s.Pipeline(doc(step(map[string]any{"times": "x"})))
			s.Config(map[string]any{"state": 3})
			p := doc(step(map[string]any{}))
			s.FillPipeline(p)
			_, _ = s.Explain("steps")
			_, _ = s.Combined("pipeline")
		})
	}
	all.Wait()
}

// TestFillShares holds that defaults are copies: changing one changes no other.
func TestFillShares(t *testing.T) {
	t.Parallel()
	s := set()
	a, b := map[string]any{}, map[string]any{"systems": map[string]any{"pm2": map[string]any{"health": map[string]any{}}}}
	s.FillConfig(a)
	tree.Object(tree.Object(a["systems"])["pm2"])["concurrency"] = "changed"
	s.FillConfig(b)
	pm2 := tree.Object(tree.Object(b["systems"])["pm2"])
	if pm2["concurrency"] != int64(2) || tree.Object(pm2["health"])["every"] != "5m" {
		t.Errorf("merged: %v", pm2)
	}
}

// BenchmarkCompile is what the first mistake costs: the schema of pipelines
// given to jsonschema.
func BenchmarkCompile(b *testing.B) {
	d := set().docs["pipeline"]()
	for b.Loop() {
		if _, err := compile(d); err != nil {
			b.Fatal(err)
		}
	}
}

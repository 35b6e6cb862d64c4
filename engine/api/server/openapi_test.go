package server_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v5"
	"gopkg.in/yaml.v3"

	"github.com/redundctl/redundctl/engine"
	"github.com/redundctl/redundctl/engine/api"
	"github.com/redundctl/redundctl/engine/api/server"
)

// described is docs/reference/openapi.yaml.
func described(t *testing.T) map[string]any {
	t.Helper()
	src, err := os.ReadFile("../../../docs/reference/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := yaml.Unmarshal(src, &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

func methods() []string { return []string{"get", "post", "put", "delete", "patch"} }

// TestOpenAPIHasEveryRoute holds that what is served is described, and the
// other way round.
func TestOpenAPIHasEveryRoute(t *testing.T) {
	e := open(t, project(t, t.TempDir(), map[string]string{"pipelines/quick.yaml": quick}), engine.Serve{})
	s, err := server.New(e, server.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for path, item := range described(t)["paths"].(map[string]any) {
		for key := range item.(map[string]any) {
			if slices.Contains(methods(), key) {
				want = append(want, strings.ToUpper(key)+" "+path)
			}
		}
	}
	got := s.Routes()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("served:\n%s\ndescribed:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// shapes compiles the schemas of the description so that unknown fields fail.
type shapes struct {
	t    *testing.T
	doc  map[string]any
	c    *jsonschema.Compiler
	seen map[string]bool // "GET /path 200"
}

func newShapes(t *testing.T) *shapes {
	x := &shapes{t: t, doc: described(t), c: jsonschema.NewCompiler(), seen: map[string]bool{}}
	strict(x.doc)
	b, err := json.Marshal(x.doc)
	if err != nil {
		t.Fatal(err)
	}
	x.c.AssertFormat = true
	if err := x.c.AddResource("openapi.json", bytes.NewReader(b)); err != nil {
		t.Fatal(err)
	}
	return x
}

// strict lets no object have fields that are not described.
func strict(v any) {
	switch v := v.(type) {
	case map[string]any:
		if _, ok := v["properties"].(map[string]any); ok && v["type"] == "object" {
			v["additionalProperties"] = false
		}
		for _, x := range v {
			strict(x)
		}
	case []any:
		for _, x := range v {
			strict(x)
		}
	}
}

// hold checks an answer to a request as it is described.
func (x *shapes) hold(route string, status int, body string) {
	x.t.Helper()
	method, path, _ := strings.Cut(route, " ")
	item, _ := x.doc["paths"].(map[string]any)[path].(map[string]any)
	op, _ := item[strings.ToLower(method)].(map[string]any)
	responses, _ := op["responses"].(map[string]any)
	code := fmt.Sprint(status)
	if responses[code] == nil {
		code = "default"
	}
	x.seen[route+" "+code] = true
	escaped := strings.ReplaceAll(strings.ReplaceAll(path, "~", "~0"), "/", "~1")
	at := "#/paths/" + escaped + "/" + strings.ToLower(method) + "/responses/" + code
	kinds, _ := responses[code].(map[string]any)
	if ref, ok := kinds["$ref"].(string); ok {
		at = ref
		shared, _ := x.doc["components"].(map[string]any)["responses"].(map[string]any)
		kinds, _ = shared[ref[strings.LastIndexByte(ref, '/')+1:]].(map[string]any)
	}
	content, _ := kinds["content"].(map[string]any)
	for kind := range content {
		at += "/content/" + strings.ReplaceAll(kind, "/", "~1") + "/schema"
		if kind == "text/plain" {
			return
		}
	}
	s, err := x.c.Compile("openapi.json" + at)
	if err != nil {
		x.t.Fatalf("%s %d: %v", route, status, err)
	}
	for _, line := range strings.Split(strings.TrimSpace(body), "\n") {
		var v any
		d := json.NewDecoder(strings.NewReader(line))
		d.UseNumber()
		if err := d.Decode(&v); err != nil {
			x.t.Errorf("%s %d: %q: %v", route, status, line, err)
			continue
		}
		if err := s.Validate(v); err != nil {
			x.t.Errorf("%s %d: %#v\n%s", route, status, err, line)
		}
	}
}

// stories asks for those of slots.
func stories(run func(route, path, body string, want int) string, slot string) {
	for path, status := range map[string]int{"quick?slot=" + slot: 200, "slow": 404, "nobody": 404, "quick?slot=noon": 400} {
		run("GET /api/v1/why/{system}/{name}", "/api/v1/why/pm2/"+path, "", status)
	}
}

// TestOpenAPIHoldsForAnswers checks real answers of every route.
func TestOpenAPIHoldsForAnswers(t *testing.T) {
	s := start(t, project(t, t.TempDir(), map[string]string{
		"pipelines/quick.yaml": strings.Replace(quick, "system: pm2", "system: pm2\ncategory: sync", 1),
		"pipelines/slow.yaml":  slow,
		"pipelines/bad.yaml":   "version: 1\nname: bad\nsystem: pm2\nsteps: [{id: x, matrix: {a: [1, 2]}, exec: [\"false\"]}]\n",
	}), server.Limits{Poll: 10 * time.Millisecond})
	c, x := s.local(), newShapes(t)
	run := func(route, path, body string, want int) string {
		t.Helper()
		method, described, _ := strings.Cut(route, " ")
		if path == "" {
			path = described
		}
		status, answer := ask(t, c, method+" "+path, body)
		if status != want {
			t.Errorf("%s: %d %s", path, status, answer)
		}
		x.hold(route, status, answer)
		return answer
	}
	const v1 = "/api/v1/"
	trigger := func(name string) string {
		t.Helper()
		var r api.Run
		if err := json.Unmarshal([]byte(run("POST "+v1+"runs", "", `{"pipeline": "`+name+`"}`, 202)), &r); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(r.ID)
	}
	in := func(id, state string) {
		t.Helper()
		until(t, "run "+id+" being "+state, func() bool {
			_, body := ask(t, c, "GET "+v1+"runs/"+id, "")
			return strings.Contains(body, `"state":"`+state+`","reason"`)
		})
	}
	good, bad, long := trigger("quick"), trigger("bad"), trigger("slow")
	in(good, "succeeded")
	in(bad, "failed")
	in(long, "running")
	for _, id := range []string{good, bad, long} {
		run("GET "+v1+"runs/{id}", v1+"runs/"+id, "", 200)
	}
	run("POST "+v1+"runs/{id}/retry", v1+"runs/"+long+"/retry", "", 400)
	run("POST "+v1+"runs/{id}/cancel", v1+"runs/"+long+"/cancel", "", 200)
	in(long, "cancelled")
	run("POST "+v1+"runs/{id}/cancel", v1+"runs/"+long+"/cancel", "", 200)
	run("POST "+v1+"runs/{id}/retry", v1+"runs/"+good+"/retry", "", 202)
	slot := time.Now().Add(-time.Hour).UTC().Truncate(time.Hour).Format(time.RFC3339) // the stand-in takes no minute 59
	run("POST "+v1+"runs", "", `{"pipeline": "quick", "slot": "`+slot+`"}`, 202)
	run("POST "+v1+"runs", "", `{"pipeline": "quick", "slot": "`+slot+`"}`, 409)
	if err := os.WriteFile(s.project.Root+"/pipelines/bad.yaml", []byte("name: [\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.project.Root+"/pipelines/quick.yaml", []byte(quick+"priority: high\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run("GET "+v1+"plan", "", "", 200)
	run("POST "+v1+"engine/reload", "", "", 200)
	run("GET "+v1+"health", "", "", 200)
	run("GET "+v1+"health", v1+"health?system=pm2", "", 200)
	run("GET "+v1+"list", "", "", 200)
	stories(run, slot)
	run("GET "+v1+"runs", "", "", 200)
	until(t, "a line of the engine", func() bool { // it is written a moment later
		_, body := ask(t, c, "GET "+v1+"logs?of=engine&n=5", "")
		return body != ""
	})
	run("GET "+v1+"logs", "", "", 200)
	run("GET "+v1+"logs", v1+"logs?of=engine&n=5", "", 200)
	run("GET /healthz", "", "", 503) // a run has failed
	run("GET /metrics", "", "", 200)
	run("POST "+v1+"parts/{system}/{action}", v1+"parts/pm2/stop", "", 200)
	run("GET "+v1+"status", "", "", 200)
	run("POST "+v1+"parts/{system}/{action}", v1+"parts/pm2/start", "", 200)
	run("POST "+v1+"parts/{system}/{name}/{action}", v1+"parts/pm2/quick/restart", "", 200)
	calls(slot, run)
	messages(t, s, x)
	for _, route := range s.server.Routes() {
		if _, path, _ := strings.Cut(route, " "); path != "/healthz" && path != v1+"engine/stop" {
			run(route, strings.NewReplacer("{id}", "1", "{system}", "pm2", "{name}", "quick", "{action}", "stop").Replace(path)+"?oops=1", "", refusal(route))
		}
	}
	run("POST "+v1+"engine/stop", "", `{"drain": "x"}`, 400)
	run("POST "+v1+"engine/stop", "", `{"force": true}`, 202)
	for path, item := range x.doc["paths"].(map[string]any) {
		for method, op := range item.(map[string]any) {
			if !slices.Contains(methods(), method) {
				continue
			}
			for code := range op.(map[string]any)["responses"].(map[string]any) {
				key := strings.ToUpper(method) + " " + path + " " + code
				if !x.seen[key] && key != "GET /healthz 200" && key != "POST /api/v1/engine/stop 409" && key != "GET /metrics default" {
					t.Errorf("no answer was held against %s; there are %q", key, slices.Sorted(maps.Keys(x.seen)))
				}
			}
		}
	}
}

// calls are those of primaries.
func calls(slot string, run func(route, path, body string, want int) string) {
	const beat, claim = "POST /api/v1/heartbeats/{system}/{name}", "POST /api/v1/claims/{system}/{name}"
	run(beat, "/api/v1/heartbeats/pm2/quick?state=started&rid=7", "", 200)
	run(beat, "/api/v1/heartbeats/pm2/quick?state=succeeded&slot="+slot, "", 200)
	run(claim, "/api/v1/claims/pm2/quick", `{"slot": "`+slot+`", "rid": "7"}`, 200)
	run(claim, "/api/v1/claims/pm2/quick", `{"created-at": "`+slot+`", "rid": "late"}`, 200)
	for range 30 {
		run(claim, "/api/v1/claims/pm2/slow", `{"slot": "`+slot+`"}`, 200)
	}
	run(beat, "/api/v1/heartbeats/pm2/slow?state=started", "", 429)
	run(claim, "/api/v1/claims/pm2/slow", "", 429)
}

// refusal is the status of a question that nobody would answer.
func refusal(route string) int {
	if route == "GET /metrics" {
		return 200
	}
	return 400
}

// messages holds the pieces of a stream of events.
func messages(t *testing.T, s *standing, x *shapes) {
	t.Helper()
	from, _, cancel := heard(t, s.client(), 1)
	defer cancel()
	for _, so := range []func(api.Message) bool{
		func(m api.Message) bool { return m.Status != nil }, func(m api.Message) bool { return m.Event != nil },
	} {
		m := next(t, from, so)
		var v any = m.Status
		if m.Event != nil {
			v = m.Event
		}
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		x.hold("GET /api/v1/events", 200, string(b))
	}
}

package share_test

import (
	"reflect"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"github.com/redundctl/redundctl/engine/config/share"
	"github.com/redundctl/redundctl/engine/pipeline"
)

func sample(name string) *pipeline.Pipeline {
	fresh := func(s string) string { return strings.Clone(s) }
	return &pipeline.Pipeline{
		Name: name, System: fresh("pm2"), Env: map[string]string{fresh("A"): fresh("1")}, Secrets: append(make([]string, 0, 8), fresh("TOKEN")),
		Primary: &pipeline.Primary{Kind: fresh("heartbeat"), With: map[string]any{"name": fresh("x"), "n": 1, "f": 1.5, "off": false, "none": nil}},
		Steps: []pipeline.Step{
			{ID: "a", Uses: "http", With: map[string]any{"url": fresh("https://example.com"), "expect": map[string]any{"status": []any{200, fresh("2xx")}}}},
			{ID: "b", Run: "echo " + name},
		},
	}
}

// TestEqualPartsAreOne holds that what is equal is kept once, and nothing else
// changes.
func TestEqualPartsAreOne(t *testing.T) {
	var pool share.Pool
	a, b := sample("a"), sample("b")
	pool.Of(a)
	pool.Of(b)
	if want := sample("a"); !reflect.DeepEqual(a, want) {
		t.Errorf("%+v, want %+v", a, want)
	}
	if want := sample("b"); !reflect.DeepEqual(b, want) {
		t.Errorf("%+v, want %+v", b, want)
	}
	same := func(what string, x, y any) {
		if reflect.ValueOf(x).Pointer() != reflect.ValueOf(y).Pointer() {
			t.Errorf("%s is there twice", what)
		}
	}
	same("env", a.Env, b.Env)
	same("primary", a.Primary, b.Primary)
	same("secrets", a.Secrets, b.Secrets)
	same("with", a.Steps[0].With, b.Steps[0].With)
	if unsafe.StringData(a.System) != unsafe.StringData(b.System) {
		t.Error("system is there twice")
	}
	// One that differs in one place shares the rest.
	c := sample("c")
	c.Steps[0].With["url"] = "https://example.org"
	pool.Of(c)
	same("expect", a.Steps[0].With["expect"], c.Steps[0].With["expect"])
	if c.Steps[0].With["url"] != "https://example.org" || a.Steps[0].With["url"] != "https://example.com" {
		t.Error("two that differ were taken for equal")
	}
}

// TestAppendLeavesOthersAlone holds that a list which is shared has no room
// behind its end.
func TestAppendLeavesOthersAlone(t *testing.T) {
	var pool share.Pool
	a, b := sample("a"), sample("b")
	pool.Of(a)
	pool.Of(b)
	x, y := append(a.Secrets, "OF_A"), append(b.Secrets, "OF_B")
	if x[1] != "OF_A" || y[1] != "OF_B" {
		t.Errorf("%q and %q", x, y)
	}
}

func TestFromSeveralGoroutines(t *testing.T) {
	var pool share.Pool
	var wg sync.WaitGroup
	list := make([]*pipeline.Pipeline, 64)
	for i := range list {
		list[i] = sample("p")
		wg.Go(func() { pool.Of(list[i]) })
	}
	wg.Wait()
	for _, p := range list {
		if reflect.ValueOf(p.Steps).Pointer() != reflect.ValueOf(list[0].Steps).Pointer() {
			t.Fatal("equal steps are there twice")
		}
	}
}

func TestWhatCannotBeShared(t *testing.T) {
	var pool share.Pool
	pool.Of(nil)
	pool.Of((*pipeline.Pipeline)(nil))
	pool.Of(pipeline.Pipeline{})
	x := struct{ F func() }{}
	pool.Of(&x)
}

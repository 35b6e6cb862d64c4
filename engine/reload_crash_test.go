package engine_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine"
	"github.com/redundctl/redundctl/engine/builtin"
	"github.com/redundctl/redundctl/engine/config"
)

// asServer is set for the copy of this program that serves the project it names
// until it is killed.
const asServer = "REDUNDCTL_TEST_SERVE"

func serveAsChild(dir string) {
	ctx := context.Background()
	p := config.Load(ctx, config.Options{Dir: dir, Kinds: builtin.Kinds(), KeepSettings: true})
	if p.ConfigInvalid {
		panic(fmt.Sprint(p.Problems))
	}
	e, err := engine.New(ctx, engine.Options{
		Project: p, Kinds: builtin.Kinds(), Environ: os.Environ(), Subreaper: true,
		Serve: engine.Serve{Load: again, Ready: func() { fmt.Println("ready") }},
	})
	if err != nil {
		panic(err)
	}
	err = e.Run(ctx)
	panic(fmt.Sprint("it was to be killed: ", err))
}

// child serves a project in another process; the function kills that.
func child(t *testing.T, p *config.Project) (kill func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(environ(t), asServer+"="+p.Root)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		kill()
		t.Fatalf("%q, %v", line, err)
	}
	return kill
}

// TestKilledAroundASave kills engines at many instants around a save of two
// files and of redund.yaml. The next engine finds these files broken, so that
// what it has in force is what was: of each the old form or the new one, whole.
// Slots are neither lost nor doubled over all of it.
func TestKilledAroundASave(t *testing.T) {
	t.Parallel()
	form := func(name string, n int) string {
		return form(name, fmt.Sprint("v", n)) + "schedule: {every: 1s}\nmissed: run-all\noverlap: allow\n"
	}
	settings := func(n int) string { return fmt.Sprintf("version: 1\nconcurrency: %d\n", 100+n) }
	p := project(t, map[string]string{"redund.yaml": settings(0), "pipelines/pm2/a.yaml": form("a", 0), "pipelines/pm2/b.yaml": form("b", 0)})
	random := rand.New(rand.NewPCG(1, 2))
	kill := child(t, p) // what is in force is recorded
	kill()
	rounds := 40
	if testing.Short() {
		rounds = 5
	}
	began, older, newer := time.Time{}, map[string]int{}, map[string]int{}
	held := map[string]int{"a": 0, "b": 0, "redund.yaml": 0} // which form of each holds
	for n := 1; n <= rounds; n++ {
		for _, name := range []string{"a", "b"} {
			save(t, p, "pipelines/pm2/"+name+".yaml", form(name, held[name]))
		}
		save(t, p, "redund.yaml", settings(held["redund.yaml"]))
		kill := child(t, p)
		if began.IsZero() {
			began = time.Now()
		}
		<-time.After(20 * time.Millisecond) // the watch may have begun, or not
		for _, name := range []string{"a", "b"} {
			save(t, p, "pipelines/pm2/"+name+".yaml", form(name, n))
		}
		save(t, p, "redund.yaml", settings(n))
		instant := time.Duration(random.IntN(90_000))
		if n%2 == 0 { // about when it is taken up
			instant = time.Duration(45_000 + random.IntN(25_000))
		}
		<-time.After(instant * time.Microsecond)
		kill()
		for _, name := range []string{"pipelines/pm2/a.yaml", "pipelines/pm2/b.yaml", "redund.yaml"} {
			save(t, p, name, "oops: [\n")
		}
		now := inForce(t, p)
		if now["a"] != now["b"] {
			t.Fatalf("round %d: one save is in force by half: %v", n, now)
		}
		for what, got := range now {
			switch got {
			case fmt.Sprint("v", n):
				newer[what]++
				held[what] = n
			case fmt.Sprint("v", held[what]):
				older[what]++
			default:
				t.Fatalf("round %d: of %s there is in force %q; before it was v%d", n, what, got, held[what])
			}
		}
	}
	t.Logf("the old form held: %v; the new one: %v", older, newer)
	for what := range held {
		if !testing.Short() && (older[what] == 0 || newer[what] == 0) {
			t.Errorf("%s: the kills fall on one side of the save alone", what)
		}
	}
	decidedOnce(t, p, began)
}

// inForce serves what a killed engine left, for a moment, and tells which form
// of each holds. All are broken on disk.
func inForce(t *testing.T, p *config.Project) map[string]string {
	t.Helper()
	now := config.Load(t.Context(), config.Options{Dir: p.Root, Kinds: builtin.Kinds(), KeepSettings: true})
	if now.ConfigInvalid || !now.ConfigKept {
		t.Fatalf("no redund.yaml holds: %+v", now.Problems)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ready, ended := make(chan struct{}), make(chan error, 1)
	e, err := engine.New(t.Context(), engine.Options{
		Project: now, Kinds: builtin.Kinds(), Environ: environ(t),
		Serve: engine.Serve{Load: again, Ready: func() { close(ready) }, Drain: time.Second},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	go func() { ended <- e.Run(ctx) }()
	select {
	case <-ready:
	case err := <-ended:
		t.Fatal(err)
	}
	out := map[string]string{"redund.yaml": fmt.Sprint("v", e.Project().Config.Concurrency-100)}
	for _, x := range e.List() {
		out[x.Name] = *x.Category
		mixed(t, e, x.Name, *x.Category)
	}
	st, err := e.Status(t.Context())
	if err != nil || len(out) != 3 || len(st.Reload.Rejected) != 3 {
		t.Fatalf("%v, %+v, %v", out, st.Reload, err)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	return out
}

// mixed holds that the definition in force is of one form.
func mixed(t *testing.T, e *engine.Engine, name, category string) {
	t.Helper()
	list, err := e.Records().LastLoaded(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range list {
		if l.Name != name {
			continue
		}
		d, ok, err := e.Records().Definition(t.Context(), l.Hash)
		if err != nil || !ok || strings.Count(string(d.Body), `"`+category+`"`) != 2 {
			t.Errorf("%s as %s: %s, %v, %v", name, category, d.Body, ok, err)
		}
	}
}

// decidedOnce holds that each second's slot of both pipelines was decided once.
func decidedOnce(t *testing.T, p *config.Project, since time.Time) {
	t.Helper()
	slots, last := map[string]map[int64]int{"a": {}, "b": {}}, map[string]int64{}
	for _, r := range runs(t, p) {
		if r.Attempt == 1 {
			slots[r.Pipeline][r.Slot.Unix()]++
			last[r.Pipeline] = max(last[r.Pipeline], r.Slot.Unix())
		}
	}
	for name, s := range slots {
		if len(s) == 0 {
			t.Errorf("%s has no slots", name)
		}
		for at := since.Unix() + 1; at <= last[name]; at++ {
			if s[at] != 1 {
				t.Errorf("%s: the slot %s was decided %d times", name, time.Unix(at, 0).UTC().Format(time.RFC3339), s[at])
			}
		}
	}
}

// TestStartsOnTheLastGoodSettings breaks redund.yaml before a start.
func TestStartsOnTheLastGoodSettings(t *testing.T) {
	p := project(t, map[string]string{"redund.yaml": "version: 1\nconcurrency: 7\n", "pipelines/pm2/a.yaml": form("a", "x")})
	child(t, p)()
	save(t, p, "redund.yaml", "version: 1\nconcurency: 7\n")
	now := config.Load(t.Context(), config.Options{Dir: p.Root, Kinds: builtin.Kinds(), KeepSettings: true})
	f := &field{t, now, serve(t, now)}
	if r := f.reload(); len(r.Rejected) != 1 || r.Rejected[0].File != "redund.yaml" || r.Rejected[0].Line != 2 || f.e.Project().Config.Concurrency != 7 {
		t.Errorf("%+v, %+v", r, f.e.Project().Config)
	}
	f.watches() // pipelines are taken up meanwhile
	f.write("redund.yaml", "version: 1\nconcurrency: 8\n")
	until(t, "the end of the mistake", func() bool { return f.e.Project().Config.Concurrency == 8 && len(f.reload().Rejected) == 0 })
	if err := os.Remove(filepath.Join(p.State, "redund.yaml.good")); err != nil {
		t.Fatal(err)
	}
	save(t, p, "redund.yaml", "version: 2\n")
	if now := config.Load(t.Context(), config.Options{Dir: p.Root, Kinds: builtin.Kinds(), KeepSettings: true}); !now.ConfigInvalid {
		t.Error("a form holds that nobody kept")
	}
}

package pm2_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/kind/kindtest"
	"github.com/redundctl/redundctl/engine/kind/pm2"
	"github.com/redundctl/redundctl/engine/kind/pm2/pm2test"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/proc"
)

// worker is the step kind at work on a test's PM2.
type stepper struct {
	t   *testing.T
	pm2 *pm2test.PM2
	run *proc.Spawner
	out bytes.Buffer
	env []string
}

func steps(t *testing.T, p *pm2test.PM2) *stepper {
	t.Helper()
	run, err := proc.New(proc.Options{Subreaper: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := run.Close(); err != nil {
			t.Error(err)
		}
	})
	return &stepper{t: t, pm2: p, run: run, env: append(p.Env(), "REDUND_RUN_ID=7", "REDUNDANCY_MODE=true")}
}

func (w *stepper) scope() *pipeline.Scope {
	return &pipeline.Scope{
		Root: w.pm2.Dir, Dir: w.pm2.Dir, Env: w.env, Out: &w.out, Mask: func(s string) string { return strings.ReplaceAll(s, "hunter22", "***") },
		Inside: func(path string) (string, error) {
			if !filepath.IsAbs(path) {
				path = filepath.Join(w.pm2.Dir, path)
			}
			return path, nil
		},
	}
}

func (w *stepper) build(with map[string]any) pipeline.Action {
	w.t.Helper()
	a, err := pm2.Kind().Build(with, kind.Deps{Proc: w.run})
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

// do runs a step of `action name` or `action name ecosystem`.
func (w *stepper) do(words ...string) error {
	w.t.Helper()
	with := map[string]any{"action": words[0], "name": words[1]}
	if len(words) > 2 {
		with["ecosystem"] = words[2]
	}
	return w.with(with)
}

func (w *stepper) with(with map[string]any) error {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 40*time.Second)
	defer cancel()
	w.out.Reset()
	_, err := w.build(with).Run(ctx, w.scope())
	if err != nil && strings.Contains(err.Error(), "\n") {
		w.t.Errorf("more than one line: %v", err)
	}
	return err
}

func (w *stepper) must(words ...string) {
	w.t.Helper()
	if err := w.do(words...); err != nil {
		w.t.Fatalf("%v: %v\n%s", words, err, w.out.String())
	}
}

// fails wants an error that holds all of the words.
func (w *stepper) fails(err error, words ...string) {
	w.t.Helper()
	for _, s := range words {
		if err == nil || !strings.Contains(err.Error(), s) {
			w.t.Errorf("%v does not say %q", err, s)
		}
	}
}

const two = `{"apps": [{"name": "api", "script": "w.sh"}, {"name": "web", "script": "w.sh"}, {"name": "my app", "script": "w.sh"}]}`

// waits makes a program that waits without a further process.
func waits(p *pm2test.PM2, t *testing.T) {
	t.Helper()
	p.Write("w.sh", "read x < fifo")
	if err := syscall.Mkfifo(filepath.Join(p.Dir, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestD17OneApplicationAlone: the original ran `pm2 kill` when a status command
// failed. Whatever a step does to its application, and however it fails, the
// daemon and its neighbours stay the same processes.
func TestD17OneApplicationAlone(t *testing.T) {
	t.Parallel()
	p := pm2test.New(t)
	waits(p, t)
	p.Write("eco.json", two)
	p.Run("start", "eco.json")
	w := steps(t, p)
	// The daemon is asked on its socket: there is no pm2 to call.
	w.env = slices.DeleteFunc(w.env, func(v string) bool { return strings.HasPrefix(v, "PATH=") })
	look := probeOf(t, p.Home, "api")
	daemon, web, mine := p.Daemon(), p.Worker("web", 1), p.Worker("my-app", 2)
	same := func(what string) {
		t.Helper()
		if d, n, m := p.Daemon(), p.Worker("web", 1), p.Worker("my-app", 2); d != daemon || n != web || m != mine {
			t.Fatalf("%s: daemon %d, neighbours %d and %d; before %d, %d, %d", what, d, n, m, daemon, web, mine)
		}
		for _, pid := range []int{daemon, web, mine} {
			if !slices.Contains(p.Processes(), pid) {
				t.Fatalf("%s: process %d is gone", what, pid)
			}
		}
	}
	api := p.Worker("api", 0)
	w.must("start", "api")
	if !strings.Contains(w.out.String(), "api is as it should be") || p.Worker("api", 0) != api {
		t.Errorf("it ran already: %s", w.out.String())
	}
	same("start")
	w.must("restart", "api")
	if now := p.Worker("api", 0); now == api || !strings.Contains(w.out.String(), fmt.Sprintf("api (id 0) is online, exit code 0, 1 restarts, pid %d", now)) {
		t.Errorf("before %d, now %d: %s", api, now, w.out.String())
	}
	same("restart")
	w.must("reload", "api")
	same("reload")
	w.must("stop", "api")
	look.is(pipeline.Down, "is stopped")
	same("stop")
	w.must("stop", "api")
	w.must("start", "api")
	look.is(pipeline.Up)
	same("start again")
	w.must("stop", "my app")
	w.must("start", "my app")
	mine = p.Worker("my-app", 2)
	w.fails(w.do("restart", "appi"), "knows no application appi", "it lists api, web, my app")
	w.fails(w.do("stop", "all"), "knows no application all")
	w.fails(w.do("stop", "0"), "knows no application 0")
	same("unknown")
	if err := syscall.Kill(daemon, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	w.fails(w.do("restart", "api"), "no answer in time", p.Home)
	if err := syscall.Kill(daemon, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	same("hung")
}

// TestEnv: the application gets the variables of the step, as the daemon starts
// it, and no others of the run.
func TestEnv(t *testing.T) {
	t.Parallel()
	p := pm2test.New(t)
	waits(p, t)
	p.Write("eco.json", two)
	p.Run("ping")
	w := steps(t, p)
	w.env = append(w.env, "FROM_STEP=1")
	holds := func(pid int, v string) bool {
		t.Helper()
		env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Contains(append([]byte{0}, env...), append([]byte{0}, v...))
	}
	env := map[string]any{"TOKEN": "hunter22", "COUNT": 7, "ON": true, "NONE": nil}
	if err := w.with(map[string]any{"action": "start", "name": "api", "ecosystem": "eco.json", "env": env}); err != nil {
		t.Fatal(err)
	}
	for _, v := range []string{"TOKEN=hunter22\x00", "COUNT=7\x00", "ON=true\x00", "NONE=\x00", "FROM_STEP=1\x00"} {
		if !holds(p.Worker("api", 0), v) {
			t.Errorf("%q is missing", v)
		}
	}
	for _, v := range []string{"REDUND", proc.TokenVariable} {
		if holds(p.Worker("api", 0), v) {
			t.Errorf("%s is the run's, not the application's", v)
		}
	}
	if p.Worker("api", 0); strings.Contains(p.Run("jlist"), `"name":"web"`) {
		t.Error("the neighbour in the same file was started")
	}
	if err := w.with(map[string]any{"action": "restart", "name": "api", "env": map[string]any{"TOKEN": "other"}}); err != nil {
		t.Fatal(err)
	}
	if !holds(p.Worker("api", 0), "TOKEN=other\x00") || !holds(p.Worker("api", 0), "COUNT=7\x00") {
		t.Error("a restart did not change the one variable that it was to")
	}
	if strings.Contains(w.out.String(), "other") {
		t.Errorf("a value is told: %s", w.out.String())
	}
}

// TestStartsTheDaemon: where none runs, `start` has the command line start one,
// which outlives the step; never a second copy of what has outlived another.
func TestStartsTheDaemon(t *testing.T) {
	t.Parallel()
	p := pm2test.New(t)
	waits(p, t)
	p.Write("eco.json", two)
	w := steps(t, p)
	w.must("start", "api", "eco.json")
	if !strings.Contains(w.out.String(), "api (id 0) is online") {
		t.Errorf("it says %s", w.out.String())
	}
	probeOf(t, p.Home, "api").is(pipeline.Up)
	worker := p.Worker("api", 0)
	p.KillDaemon()
	w.fails(w.do("start", "api", "eco.json"), "has lost api", fmt.Sprint(worker), "second copy")
	noMore(p, []int{worker})
	p.Kill(worker)
	w.must("start", "api", "eco.json")
	// The end of what redundctl starts processes with is not the daemon's.
	if err := w.run.Close(); err != nil {
		t.Error(err)
	}
	probeOf(t, p.Home, "api").is(pipeline.Up)
}

// TestStepErrors: what cannot be done says why, and what to do.
func TestStepErrors(t *testing.T) {
	t.Parallel()
	p := pm2test.New(t)
	waits(p, t)
	p.Write("eco.json", two)
	p.Write("bad.js", "process.exit(3)")
	p.Write("bad.json", `{"apps": [{"name": "bad", "script": "bad.js", "autorestart": false}, {"name": "none", "script": "no/such.js"}]}`)
	p.Write("broken.config.js", "module.exports = {apps: [")
	p.Write("later.json", `{"apps": [{"name": "later", "script": "bad.js", "restart_delay": 600000}]}`)
	w := steps(t, p)
	for _, action := range []string{"restart", "reload", "stop", "start"} {
		w.fails(w.do(action, "api"), "no PM2 daemon runs in "+p.Home)
	}
	w.fails(w.do("restart", "api", "eco.json"), "no PM2 daemon runs in "+p.Home)
	if left := p.Processes(); len(left) > 0 {
		t.Errorf("a step that failed started %v", left)
	}
	p.Run("ping")
	w.fails(w.do("start", "api"), "knows no application api: it lists none")
	w.fails(w.do("start", "api", "no.json"), "ecosystem file cannot be read", "no.json")
	w.fails(w.do("start", "app", "eco.json"), "eco.json describes no application app")
	w.fails(w.do("start", "none", "bad.json"), "exit code 1")
	w.fails(w.do("start", "api", "broken.config.js"), "exit code 1")
	if err := w.do("start", "bad", "bad.json"); err == nil {
		p.Until("it has ended", func() bool { return strings.Contains(p.Run("jlist"), `"exit_code":3`) })
	}
	_ = w.do("start", "later", "later.json")
	p.Until("it waits", func() bool { return strings.Contains(p.Run("jlist"), `"status":"waiting restart"`) })
	p.Write("bad.js", "setInterval(() => {}, 1000)")
	w.must("restart", "later")
	w.must("start", "bad")
	w.env = []string{"PATH=/nowhere", "HOME=" + p.Dir, "PM2_HOME=" + p.Home}
	w.fails(w.do("start", "api", "eco.json"), "cannot start pm2: no such program")

	for _, with := range []map[string]any{
		{"action": "start", "name": "api", "ecosystem": "server.js"},
		{"action": "start", "name": "my app", "ecosystem": "eco.json"},
	} {
		if _, err := pm2.Kind().Build(with, kind.Deps{}); err == nil {
			t.Errorf("%v was built", with)
		}
	}
	for file, want := range map[string]string{"server.js": "pm2-ecosystem", "no.json": "missing-script", "eco.json": "", "${{ vars.x }}": "", p.Dir + "/no.yaml": "missing-script"} {
		got := ""
		for _, f := range pm2.Kind().Check(map[string]any{"action": "start", "name": "api", "ecosystem": file}, kind.Place{Root: p.Dir, Dir: p.Dir}) {
			got += f.Rule
		}
		if got != want {
			t.Errorf("%s: found %q, want %q", file, got, want)
		}
	}
}

// TestPlan: a dry run tells the present state and changes nothing, no daemon
// being started least of all.
func TestPlan(t *testing.T) {
	t.Parallel()
	p := pm2test.New(t)
	waits(p, t)
	p.Write("eco.json", two)
	w := steps(t, p)
	plan := func(with map[string]any) string {
		t.Helper()
		files, processes := tree(t, p.Home), p.Processes()
		effects, err := kindtest.Plan(t, w.build(with), w.scope())
		if now := tree(t, p.Home); !slices.Equal(now, files) {
			t.Errorf("a dry run changed the home: %q, before %q", now, files)
		}
		noMore(p, processes)
		if err != nil {
			return err.Error()
		}
		return strings.Join(strings.Fields(fmt.Sprint(effects)), " ")
	}
	for _, c := range []struct{ action, name, ecosystem, want string }{
		{"start", "api", "eco.json", "[starts the PM2 daemon in " + p.Home + ", and api of " + p.Dir + "/eco.json]"},
		{"restart", "api", "", "no PM2 daemon runs in " + p.Home},
		{"", "", "", ""}, // now it runs
		{"start", "api", "", "[leaves api as it is, through PM2 in " + p.Home + " api (id 0) is online, pid "},
		{"restart", "api", "", "[restarts api through PM2 in " + p.Home + " api (id 0) is online"},
		{"reload", "api", "eco.json", "[reloads api of " + p.Dir + "/eco.json through PM2 in " + p.Home},
		{"stop", "web", "", "[stops web through PM2 in " + p.Home + " web (id 1) is online"},
		{"stop", "wep", "", "knows no application wep: it lists web, "},
		{"start", "new", "none.json", "the ecosystem file cannot be read"},
	} {
		if c.action == "" {
			p.Run("start", "eco.json")
			continue
		}
		with := map[string]any{"action": c.action, "name": c.name}
		if c.ecosystem != "" {
			with["ecosystem"] = c.ecosystem
		}
		if got := plan(with); !strings.Contains(got, c.want) {
			t.Errorf("%s %s: %s, want %s", c.action, c.name, got, c.want)
		}
	}
}

// TestEcosystemAgain: a file that has changed holds at the next restart and reload
// through it, for its application alone.
func TestEcosystemAgain(t *testing.T) {
	t.Parallel()
	p := pm2test.New(t)
	waits(p, t)
	config := func(value string) {
		p.Write("eco.config.cjs", `module.exports = { apps: ["api", "web"].map((name) => ({ name, script: "w.sh", env: { VALUE: "`+value+`" } })) }`)
	}
	w := steps(t, p)
	holds := func(name string, id int, v string) bool {
		t.Helper()
		env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", p.Worker(name, id)))
		return err == nil && bytes.Contains(append([]byte{0}, env...), []byte("\x00"+v+"\x00"))
	}
	config("one")
	p.Run("start", "eco.config.cjs")
	web := p.Worker("web", 1)
	config("two")
	w.must("start", "api", "eco.config.cjs") // it runs already
	if !holds("api", 0, "VALUE=one") {
		t.Error("a start of what runs has changed it")
	}
	w.must("restart", "api", "eco.config.cjs")
	if !holds("api", 0, "VALUE=two") {
		t.Error("a restart did not take the file's new value")
	}
	config("three")
	w.must("reload", "api", "eco.config.cjs")
	if !holds("api", 0, "VALUE=three") {
		t.Error("a reload did not take the file's new value")
	}
	w.must("stop", "api", "eco.config.cjs")
	if !strings.Contains(w.out.String(), "api (id 0) is stopped") {
		t.Errorf("it says %s", w.out.String())
	}
	if p.Worker("web", 1) != web || !holds("web", 1, "VALUE=one") {
		t.Error("the neighbour in the same file has changed")
	}
}

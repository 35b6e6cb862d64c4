package pipelines

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// tick is a pipeline of the test's own.
func tick(name, schedule, step string) string {
	return "version: 1\nname: " + name + "\n# When it is due.\nschedule: " + schedule + " # as agreed\nsteps:\n  - " + step + "\n"
}

// serve runs an engine in the repository until the test ends it.
func (r *repo) serve() (end func()) {
	r.t.Helper()
	cmd := exec.Command(program, "-C", r.dir, "serve")
	cmd.Env = r.env
	log, err := os.Create(filepath.Join(r.t.TempDir(), "engine.log"))
	if err != nil {
		r.t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	ended := false
	end = func() {
		if ended {
			return
		}
		ended = true
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			r.t.Error(err)
		}
		_ = cmd.Wait()
		_ = log.Close()
	}
	r.t.Cleanup(end)
	return end
}

// until asks again and again, for two minutes at most.
func (r *repo) until(what string, done func() bool) {
	r.t.Helper()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for end := time.Now().Add(2 * time.Minute); !done(); <-again.C {
		if time.Now().After(end) {
			r.t.Fatalf("waiting for %s: it did not come", what)
		}
	}
}

// say runs redundctl and gives what it printed, whatever its exit code.
func (r *repo) say(args ...string) string {
	cmd := exec.Command(program, append([]string{"-C", r.dir}, args...)...)
	cmd.Env = r.env
	out, _ := cmd.CombinedOutput() // whatever its exit code
	return string(out)
}

// TestAdaptiveOrchestrator: proposals follow what was recorded, are a patch that
// git applies, and are written only when asked for.
func TestAdaptiveOrchestrator(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{
		"pipelines/pm2/shaky.yaml": tick("shaky", `{cron: "0 3 * * *"}`, "run: test -e fine"),
		"pipelines/pm2/noon.yaml":  tick("noon", "\n  cron: \"0 12 * * *\"", "run: echo"),
		"pipelines/pm2/lunch.yaml": tick("lunch", `{cron: "0 12 * * *"}`, "run: echo"),
		"redund.yaml":              "version: 1\nsystems:\n  pm2: {concurrency: 1}\n",
	}, "netlify-functions/adaptive-orchestrator")
	r.commitAll("First")
	type proposal struct {
		Proposal []struct{ Pipeline, Key, Is string }
		Applied  bool
		Troubled []string
	}
	read := func(e ended) (p proposal) { e.report("adaptive-orchestrator.json", &p); return p }
	shaky := func(states ...bool) {
		for _, fine := range states {
			if fine {
				r.write("fine", "")
			} else {
				_ = os.Remove(filepath.Join(r.dir, "fine"))
			}
			r.say("run", "shaky")
		}
	}
	e := r.run("adaptive-orchestrator")
	e.clean()
	if p := read(e).Proposal; len(p) != 1 || p[0].Key != "schedule.jitter" || p[0].Is != "30s" {
		t.Fatalf("of two pipelines that are due at once, where one may run: %+v", p)
	}
	shaky(true, false, true, false, true)
	e = r.run("adaptive-orchestrator", "apply=true")
	e.clean()
	if p := read(e); len(p.Proposal) != 2 || p.Proposal[0].Pipeline != "pm2/shaky" || p.Proposal[0].Key != "retry" || !p.Applied {
		t.Errorf("%+v", p)
	}
	if got, want := r.read("pipelines/pm2/shaky.yaml"), strings.Replace(tick("shaky", `{cron: "0 3 * * *"}`, "run: test -e fine"), "# When", "retry: {attempts: 3, delay: 5s}\n# When", 1); got != want {
		t.Errorf("%s", got)
	}
	if !variants() {
		return
	}
	patch := filepath.Join(r.dir, ".redund/artifacts", strconv.FormatInt(e.ID, 10), "proposal.patch")
	r.command("git", "checkout", "-q", "pipelines")
	r.command("git", "apply", patch)
	e = r.run("adaptive-orchestrator")
	if p := read(e).Proposal; len(p) != 0 {
		t.Errorf("what was applied is proposed again: %+v", p)
	}
	r.write("pipelines/pm2/shaky.yaml", tick("shaky", `{cron: "0 3 * * *"}`, "run: test -e fine"))
	shaky(false, false, false, false, false, false)
	if p := read(r.run("adaptive-orchestrator")); len(p.Troubled) != 1 || !strings.Contains(p.Troubled[0], "pm2/shaky: ") {
		t.Errorf("%+v", p)
	}
	// A proposal for a project that is not valid with it is refused, and not applied.
	r.write("pipelines/pm2/bad.yaml", "version: 1\nname: bad\nsteps: []\n")
	r.run("adaptive-orchestrator", "apply=true").found("the project with the proposal is not valid: pipelines/pm2/bad.yaml:3")
}

// TestAutoScheduler: a slot that nobody decided fails, and pipelines that would
// wait for each other get other minutes.
func TestAutoScheduler(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{
		"pipelines/pm2/often.yaml": tick("often", "{every: 1s}", "run: echo"),
		"redund.yaml":              "version: 1\nsystems:\n  pm2: {concurrency: 1}\n",
	}, "netlify-functions/auto-scheduler")
	type found struct {
		Slots      []struct{ Pipeline, Slot, Is string }
		Collisions []struct{ Pipeline string }
		Proposal   []struct{ Pipeline, Key, Was, Is string }
	}
	read := func(e ended) (f found) { e.report("auto-scheduler.json", &f); return f }
	// Its own slots are not what this is about.
	const own = "pipelines/netlify-functions/auto-scheduler.yaml"
	r.write(own, strings.Replace(r.read(own), "*/15 * * * *", "0 0 29 2 *", 1))
	// Slots from before the file was written are none.
	r.run("auto-scheduler").clean()
	old := time.Now().Add(-2 * time.Hour)
	file := filepath.Join(r.dir, "pipelines/pm2/often.yaml")
	r.write("pipelines/pm2/often.yaml", tick("often", `{cron: "*/10 * * * *"}`, "run: echo"))
	if err := os.Chtimes(file, old, old); err != nil {
		t.Fatal(err)
	}
	r.run("auto-scheduler").found("slots of the last hour have no decision, as ", "pm2/often: is an engine running?")

	// Two that take a second and a half are due at once, where one may run. No
	// slot of theirs is in the last hour.
	at := time.Now().UTC().Add(90 * time.Minute).Truncate(10 * time.Minute)
	cron := `{cron: "` + at.Format("4 15") + ` * * *"}`
	for _, name := range []string{"often", "second"} {
		r.write("pipelines/pm2/"+name+".yaml", tick(name, cron, "run: node -e 'setTimeout(() => {}, 1500)'"))
		r.say("run", name)
	}
	e := r.run("auto-scheduler")
	e.clean()
	f := read(e)
	if len(f.Collisions) != 1 || len(f.Proposal) != 1 || f.Proposal[0].Key != "schedule.cron" || f.Proposal[0].Is != at.Add(time.Minute).Format("4 15")+" * * *" {
		t.Errorf("%+v", f)
	}
	if !variants() {
		return
	}
	e = r.run("auto-scheduler", "apply=true")
	e.clean()
	if text := r.say("list", "-o", "json"); !strings.Contains(text, at.Add(time.Minute).Format("4 15")+" * * *") {
		t.Errorf("it was not applied:\n%s", text)
	}
	if f := read(r.run("auto-scheduler")); len(f.Collisions) != 0 || len(f.Proposal) != 0 {
		t.Errorf("once it is applied: %+v", f)
	}
}

// TestAutoSync: the site's own script runs only while PM2 does not run it, and a
// script that keeps failing ends at its restart limit, visibly.
func TestAutoSync(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{
		"automation/pm2-auto-sync.js": "require('fs').appendFileSync('starts', process.env.AUTO_SYNC_BRANCH + '\\n'); setInterval(() => {}, 1000)\n",
	}, "pm2/auto-sync")
	const file = "pipelines/pm2/auto-sync.yaml"
	short := strings.NewReplacer("every: 30s", "every: 100ms", "delay: 5s, max-delay: 1m, max-restarts: 15", "delay: 10ms, max-delay: 20ms, max-restarts: 3").Replace(r.read(file))
	r.write(file, short)
	r.env = append(r.env, "AUTO_SYNC_BRANCH=main")
	end := r.serve()
	r.until("the service, since no PM2 runs", func() bool {
		text, err := os.ReadFile(filepath.Join(r.dir, "starts"))
		return err == nil && string(text) == "main\n"
	})
	r.until("a good verdict", func() bool { return strings.Contains(r.say("health", "-o", "json"), `"status": "healthy"`) })
	r.write("automation/pm2-auto-sync.js", "process.exit(3)\n")
	r.say("restart", "auto-sync")
	r.until("the restart limit", func() bool {
		return strings.Contains(r.say("health", "-o", "json"), "the service pm2/auto-sync is errored: exit code 3")
	})
	end()
}

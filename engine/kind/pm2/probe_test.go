package pm2_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/kind/pm2"
	"github.com/redundctl/redundctl/engine/kind/pm2/pm2test"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// idle is a program that goes on until it is ended.
const idle = "setInterval(() => {}, 1000)"

// looker is the probe of one application of a test's PM2.
type looker struct {
	t     testing.TB
	probe pipeline.Probe
	once  bool // a daemon that does not answer in time is not asked again
}

func probeOf(t testing.TB, home, name string) looker {
	t.Helper()
	p, err := pm2.Primary().Build(map[string]any{"process": name, "home": home}, kind.PrimaryDeps{
		Host: func(string) (string, bool) { return "", false }, Shared: &kind.Shared{},
	})
	if err != nil {
		t.Fatal(err)
	}
	return looker{t: t, probe: p}
}

func (l looker) at(w pipeline.Window) pipeline.Reading {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), 20*time.Second)
	defer cancel()
	r, err := l.probe.Probe(ctx, w)
	for err == nil && !l.once && ctx.Err() == nil && strings.Contains(r.Reason, "no answer in time") {
		r, err = l.probe.Probe(ctx, w) // the machine is busy
	}
	if err != nil {
		l.t.Fatal(err)
	}
	if r.Reason == "" || strings.Contains(r.Reason, "\n") || r.Evidence["home"] == "" {
		l.t.Errorf("the reading does not explain itself: %+v", r)
	}
	return r
}

// is looks at a service and wants that verdict, with a reason that holds all of
// the words.
func (l looker) is(want pipeline.Verdict, words ...string) pipeline.Reading {
	l.t.Helper()
	r := l.at(pipeline.Window{})
	l.hold(r, want, words...)
	return r
}

func (l looker) hold(r pipeline.Reading, want pipeline.Verdict, words ...string) {
	l.t.Helper()
	if r.Verdict != want {
		l.t.Errorf("got %s (%s), want %s", r.Verdict, r.Reason, want)
	}
	for _, w := range words {
		if !strings.Contains(r.Reason, w) {
			l.t.Errorf("%q does not say %q", r.Reason, w)
		}
	}
}

// tree is what lies in a folder: names, modes, times and sizes.
func tree(t testing.TB, dir string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil {
			out = append(out, fmt.Sprint(p, info.Mode(), info.ModTime().UnixNano(), info.Size()))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// noMore holds that no process stays that was not there before: a daemon starts
// short ones of its own.
func noMore(p *pm2test.PM2, before []int) {
	p.Until(fmt.Sprintf("no other processes than %v", before), func() bool {
		return !slices.ContainsFunc(p.Processes(), func(pid int) bool { return !slices.Contains(before, pid) })
	})
}

// TestD16LookingStartsNoDaemon: the original asked the command line of PM2, each
// call of which starts a daemon. A look leaves no file and no process, whether
// PM2 never ran, was killed, or has an empty list.
func TestD16LookingStartsNoDaemon(t *testing.T) {
	t.Parallel()
	p := pm2test.New(t)
	look := probeOf(t, p.Home, "api")
	still := func(what string) {
		t.Helper()
		files, processes := tree(t, p.Home), p.Processes()
		look.is(pipeline.Down)
		look.at(pipeline.Window{Slot: time.Now()})
		if now := tree(t, p.Home); !slices.Equal(now, files) {
			t.Errorf("%s: a look changed files: %q, before %q", what, now, files)
		}
		noMore(p, processes)
	}
	if got := look.is(pipeline.Down, "no PM2 daemon runs", p.Home); got.Alive {
		t.Errorf("nothing has ever run: %+v", got)
	}
	still("never ran")
	if len(tree(t, p.Home)) != 1 {
		t.Errorf("the home is not empty: %q", tree(t, p.Home))
	}
	p.Run("ping")
	look.is(pipeline.Down, "api is not in the list of PM2", "it lists none")
	still("an empty list")
	p.KillDaemon()
	look.is(pipeline.Down, "no PM2 daemon runs")
	still("killed")
	probeOf(t, filepath.Join(p.Dir, "no/such/home"), "api").is(pipeline.Down, "no PM2 daemon runs")
}

// TestD16Service walks an application through what PM2 can make of it: each state
// is read from the daemon's own answer.
func TestD16Service(t *testing.T) {
	t.Parallel()
	p := pm2test.New(t)
	look := probeOf(t, p.Home, "api")
	p.Write("api.js", idle)
	p.Write("eco.json", `{"apps": [
		{"name": "api", "script": "api.js", "env": {"STATUS": "errored", "NAME": "other", "PASSWORD": "hunter22"}},
		{"name": "app", "script": "api.js"}, {"name": "worker", "script": "api.js"}]}`)
	p.Run("start", "eco.json")
	r := look.is(pipeline.Up, "api is online since")
	if text, _ := json.Marshal(r); strings.Contains(string(text), "hunter22") || r.Began.IsZero() {
		t.Errorf("the reading holds a variable of the application, or no start: %s", text)
	}
	look.is(pipeline.Up)
	p.Run("restart", "api")
	if r := look.is(pipeline.Down, "was restarted since the last look"); !r.Alive {
		t.Errorf("it is online: %+v", r)
	}
	look.is(pipeline.Up)
	p.Kill(p.Worker("api", 0))
	p.Until("PM2 has started it again", func() bool { return strings.Contains(p.Run("jlist"), `"restart_time":2`) })
	look.is(pipeline.Down, "was restarted since the last look", "2 times")
	look.is(pipeline.Up)
	p.Run("stop", "api")
	if r := look.is(pipeline.Down, "api is stopped, exit code 0"); r.Alive {
		t.Errorf("it has ended: %+v", r)
	}
	p.Run("start", "api")
	look.is(pipeline.Up) // somebody has brought it up, it did not fall
	p.Run("delete", "api")
	if r := look.is(pipeline.Down, "api is not in the list", "it lists app, worker"); r.Alive {
		t.Errorf("it has ended: %+v", r)
	}
	p.Run("start", "eco.json", "--only", "api")
	look.is(pipeline.Up)
}

// TestServiceLoops: PM2 brings an application up again and again, or has given it
// up.
func TestServiceLoops(t *testing.T) {
	t.Parallel()
	p := pm2test.New(t)
	p.Write("bad.js", "process.exit(3)")
	p.Write("slow.js", "setTimeout(() => process.send('ready'), 3000); "+idle)
	p.Write("eco.json", `{"apps": [
		{"name": "bad", "script": "bad.js", "max_restarts": 2, "min_uptime": 5000},
		{"name": "later", "script": "bad.js", "restart_delay": 60000}]}`)
	p.Run("start", "eco.json")
	bad, later, slow := probeOf(t, p.Home, "bad"), probeOf(t, p.Home, "later"), probeOf(t, p.Home, "slow")
	p.Until("PM2 has given it up", func() bool { return strings.Contains(p.Run("jlist"), `"status":"errored"`) })
	bad.is(pipeline.Down, "bad is errored, exit code 3")
	later.is(pipeline.Down, "later is waiting restart, exit code 3")
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = p.Try("start", "slow.js", "--wait-ready", "--listen-timeout", "20000")
	}()
	p.Until("it is listed", func() bool { return slow.at(pipeline.Window{}).Verdict != pipeline.Down })
	slow.is(pipeline.Starting, "slow is launching")
	<-done
	slow.is(pipeline.Up)
}

// TestServiceInstances: all instances of a name are one application, which is up
// as long as PM2 keeps one of them up.
func TestServiceInstances(t *testing.T) {
	t.Parallel()
	p := pm2test.New(t)
	p.Run("start", p.Write("api.js", idle), "-i", "2")
	look := probeOf(t, p.Home, "api")
	look.is(pipeline.Up, "2 of 2 instances")
	p.Run("stop", "0")
	look.is(pipeline.Up, "1 of 2 instances")
	p.Run("restart", "1")
	look.is(pipeline.Down, "none of 2 instances")
	look.is(pipeline.Up, "1 of 2 instances")
	p.Run("stop", "api")
	look.is(pipeline.Down, "none of 2 instances of api is up: one is stopped")
}

// TestSlot: a start at or after a slot, and before the next, serves it.
func TestSlot(t *testing.T) {
	t.Parallel()
	p := pm2test.New(t)
	before := time.Now()
	p.Write("good.js", "process.exit(0)")
	p.Write("bad.js", "process.exit(4)")
	waits(p, t)
	p.Write("eco.json", `{"apps": [
		{"name": "good", "script": "good.js", "autorestart": false}, {"name": "bad", "script": "bad.js", "autorestart": false},
		{"name": "slow", "script": "w.sh", "autorestart": false}, {"name": "never", "script": "good.js", "autostart": false}]}`)
	p.Run("start", "eco.json")
	p.Until("two have ended", func() bool { return strings.Count(p.Run("jlist"), `"exit_code"`) >= 2 })
	after := time.Now()
	good, bad, slow := probeOf(t, p.Home, "good"), probeOf(t, p.Home, "bad"), probeOf(t, p.Home, "slow")
	served := pipeline.Window{Slot: before}
	for _, c := range []struct {
		look  looker
		w     pipeline.Window
		want  pipeline.Verdict
		words string
	}{
		{good, served, pipeline.Delivered, "ended with exit code 0"},
		{bad, served, pipeline.NotDelivered, "is stopped, exit code 4"},
		{slow, served, pipeline.UnderWay, "slow runs since"},
		{probeOf(t, p.Home, "never"), served, pipeline.Nothing, "never has not been started since"},
		{good, pipeline.Window{Slot: after}, pipeline.Nothing, "has not been started since"},
		{good, pipeline.Window{Slot: before.Add(-time.Hour), Next: before}, pipeline.Nothing, "has not been started since"},
		{probeOf(t, p.Home, "god"), served, pipeline.Nothing, "it lists good, bad"},
	} {
		r := c.look.at(c.w)
		c.look.hold(r, c.want, c.words)
		if began := r.Verdict != pipeline.Nothing; began == r.Began.IsZero() || began == (r.Run == "") {
			t.Errorf("run %q began %s: %s", r.Run, r.Began, r.Reason)
		}
	}

	// A second start hides the first, but not from who saw it.
	p.Run("restart", "good")
	p.Until("it has ended again", func() bool {
		return good.at(pipeline.Window{Slot: after}).Verdict == pipeline.Delivered
	})
	good.hold(good.at(pipeline.Window{Slot: before, Next: after}), pipeline.Delivered)
	p.Run("restart", "slow")
	slow.hold(slow.at(pipeline.Window{Slot: after}), pipeline.UnderWay)
	slow.hold(slow.at(pipeline.Window{Slot: before, Next: after}), pipeline.Unknown, "was not seen to end")

	p.KillDaemon()
	slow.hold(slow.at(pipeline.Window{Slot: after}), pipeline.UnderWay, "a process of slow lives")
	good.hold(good.at(pipeline.Window{Slot: after}), pipeline.Delivered)
	bad.hold(bad.at(pipeline.Window{Slot: after}), pipeline.Nothing, "no PM2 daemon runs")
	p.Kill(p.Worker("slow", 2))
	slow.hold(slow.at(pipeline.Window{Slot: after}), pipeline.Unknown)
}

// TestHung: a daemon that does not answer says nothing of its applications, and
// costs no more than the second that it is given.
func TestHung(t *testing.T) {
	t.Parallel()
	p := pm2test.New(t)
	p.Run("start", p.Write("api.js", idle))
	look := probeOf(t, p.Home, "api")
	look.is(pipeline.Up)
	if err := syscall.Kill(p.Daemon(), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	look.once = true
	r := look.is(pipeline.Unknown, "no answer in time", p.Home)
	if took := time.Since(began); r.Refused || took > 15*time.Second {
		t.Errorf("took %s: %+v", took, r)
	}
	if err := syscall.Kill(p.Daemon(), syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	p.Until("it answers again", func() bool { return look.at(pipeline.Window{}).Verdict == pipeline.Up })
}

// TestHome: the daemon is that of `home`, else of PM2_HOME, else of the user.
func TestHome(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for _, c := range []struct {
		named string
		env   map[string]string
		want  string // the home, or a part of the error
	}{
		{"/srv/pm2", map[string]string{"HOME": "/home/a", "PM2_HOME": "/b"}, "/srv/pm2"},
		{"", map[string]string{"HOME": "/home/a", "PM2_HOME": "/b"}, "/b"},
		{"", map[string]string{"HOME": "/home/a"}, "/home/a/.pm2"},
		{"~/x", map[string]string{"HOME": "/home/a"}, "/home/a/x"},
		{"here/.pm2", nil, root + "/here/.pm2"},
		{"", nil, "give its home"},
	} {
		with := map[string]any{"process": "api"}
		if c.named != "" {
			with["home"] = c.named
		}
		var got string
		p, err := pm2.Primary().Build(with, kind.PrimaryDeps{Root: root, Host: func(name string) (string, bool) { v, ok := c.env[name]; return v, ok }})
		if err != nil {
			got = err.Error()
		} else {
			r, _ := p.Probe(t.Context(), pipeline.Window{})
			got = fmt.Sprint(r.Evidence["home"])
		}
		if got != c.want && (err == nil || !strings.Contains(got, c.want)) {
			t.Errorf("%q with %v: %s, want %s", c.named, c.env, got, c.want)
		}
	}
	if os.Getuid() != 0 {
		home := filepath.Join(root, "closed")
		if err := os.MkdirAll(home, 0); err != nil {
			t.Fatal(err)
		}
		if r := probeOf(t, home, "api").is(pipeline.Unknown, "run redundctl as its user"); !r.Refused {
			t.Errorf("%+v", r)
		}
	}
}

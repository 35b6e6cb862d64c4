package ecosystem_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine"
	"github.com/redundctl/redundctl/engine/builtin"
	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/kind/pm2/ecosystem"
	"github.com/redundctl/redundctl/engine/kind/pm2/pm2test"
)

// patience bounds every wait of these tests, on a machine with much to do.
const patience = 60 * time.Second

// teller is a program of Node that adds what it sees to the file told/$APP, then
// does what its variable DO says.
const teller = `
const fs = require('fs'), path = require('path');
const tell = (x) => fs.appendFileSync(path.join(__dirname, 'told', process.env.APP), JSON.stringify(x) + '\n');
const env = {};
for (const k of (process.env.SHOW || '').split(' ').filter(Boolean)) env[k] = process.env[k] === undefined ? null : process.env[k];
tell({
  at: Date.now(), pid: process.pid, cwd: process.cwd(), args: process.argv.slice(2), 
  node: process.execArgv.filter((x) => x.startsWith('--') && !x.startsWith('--import') && x !== '--enable-source-maps'),
  maps: Boolean(process.sourceMapsEnabled), env, uid: process.getuid(), gid: process.getgid(),
});
const wait = () => setInterval(() => {}, 1000);
const signals = (leave) => { for (const s of ['SIGINT', 'SIGTERM']) process.on(s, () => { tell({ signal: s }); if (leave) process.exit(0); }); };
({
  wait,
  once: () => {},
  fail: () => process.exit(1),
  three: () => process.exit(3),
  live: () => setTimeout(() => process.exit(1), 400),
  polite: () => { signals(true); wait(); },
  deaf: () => { signals(false); wait(); },
  child: () => {
    const c = require('child_process').spawn(process.execPath, ['-e', "process.on('SIGINT', () => { require('fs').appendFileSync(process.argv[1], JSON.stringify({ child: 'SIGINT' }) + '\\n'); process.exit(0) }); setInterval(() => {}, 1000); require('fs').appendFileSync(process.argv[1], JSON.stringify({ child: 'up' }) + '\\n')", path.join(__dirname, 'told', process.env.APP)], { stdio: 'ignore' });
    tell({ childPID: c.pid }); signals(true); wait();
  },
  message: () => { process.on('message', (m) => { if (m === 'shutdown') { tell({ message: m }); process.exit(0); } }); wait(); },
  ready: () => { process.send('ready'); tell({ said: 'ready' }); wait(); },
  memory: () => { global.kept = Buffer.alloc(150 << 20, 1); wait(); },
})[process.env.DO || 'wait']();
`

// told is one line of a teller.
type told struct {
	At       int64              `json:"at"`
	PID      int                `json:"pid"`
	CWD      string             `json:"cwd"`
	Args     []string           `json:"args"`
	Node     []string           `json:"node"`
	Maps     bool               `json:"maps"`
	Env      map[string]*string `json:"env"`
	UID      int                `json:"uid"`
	GID      int                `json:"gid"`
	Signal   string             `json:"signal"`
	Message  string             `json:"message"`
	Said     string             `json:"said"`
	Child    string             `json:"child"`
	ChildPID int                `json:"childPID"`
}

// side is one of two supervisors that run the same applications.
type side struct {
	t    *testing.T
	name string
	dir  string
}

// lines are what an application told.
func (s *side) lines(app string) []told {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(s.dir, "told", app))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		s.t.Fatal(err)
	}
	var out []told
	for line := range strings.Lines(string(text)) {
		var x told
		if strings.HasSuffix(line, "\n") {
			if err := json.Unmarshal([]byte(line), &x); err != nil {
				s.t.Fatalf("%s told %q: %v", app, line, err)
			}
			out = append(out, x)
		}
	}
	return out
}

// starts are the lines that tell of a start.
func (s *side) starts(app string) []told {
	s.t.Helper()
	return slices.DeleteFunc(s.lines(app), func(x told) bool { return x.PID == 0 })
}

func (s *side) until(what string, so func() bool) {
	s.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if so() {
			return
		}
		<-time.After(20 * time.Millisecond)
	}
	s.t.Errorf("%s: %s did not come to pass", s.name, what)
}

// seen is what the processes of an application saw, without what differs between
// two runs of the same.
func (s *side) seen(app string) string {
	s.t.Helper()
	var out []string
	for _, x := range s.starts(app) {
		x.At, x.PID = 0, 0
		text, err := json.Marshal(x)
		if err != nil {
			s.t.Fatal(err)
		}
		out = append(out, strings.ReplaceAll(string(text), s.dir, "DIR"))
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

// both runs the same ecosystem file under a real PM2 and, imported, under ours.
type both struct {
	pm2, ours *side
	daemon    *pm2test.PM2
	engine    *engine.Engine
	found     map[string]kind.Found
}

// start writes the files on both sides, starts them, and gives both. Each
// application gets its name as APP.
func start(t *testing.T, apps []map[string]any, files map[string]string, daemonEnv ...string) *both {
	t.Helper()
	for _, a := range apps {
		env, _ := a["env"].(map[string]any)
		if env == nil {
			env = map[string]any{}
			a["env"] = env
		}
		env["APP"] = a["name"]
		if a["script"] == nil && a["exec"] == nil && a["cmd"] == nil {
			a["script"] = "teller.js"
		}
	}
	text, err := json.Marshal(map[string]any{"apps": apps})
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{"ecosystem.json": string(text), "teller.js": teller, "told/.keep": "", "redund.yaml": "version: 1\nsystems: {pm2: {concurrency: 50}}\n"}
	for k, v := range files {
		all[k] = v
	}
	p := pm2test.New(t)
	b := &both{pm2: &side{t, "PM2", p.Dir}, ours: &side{t, "ours", project(t, all)}, daemon: p, found: map[string]kind.Found{}}
	for name, text := range all {
		path := filepath.Join(p.Dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{path, filepath.Join(b.ours.dir, name)} {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(text, "#!") {
				if err := os.Chmod(path, 0o700); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	b.imported(t)
	var going sync.WaitGroup
	going.Go(func() {
		if out, err := p.With(daemonEnv...).Try("start", "ecosystem.json"); err != nil {
			t.Errorf("pm2 start: %v\n%s", err, out)
		}
	})
	b.serve(t)
	going.Wait()
	return b
}

// imported writes the pipelines of our side, which run beside their primary.
func (b *both) imported(t *testing.T) {
	t.Helper()
	found, err := ecosystem.Finder().Find(t.Context(), kind.Search{Root: b.ours.dir})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		if f.Broken != "" {
			t.Fatalf("%s: %s", f.Primary, f.Broken)
		}
		b.found[f.Primary] = f
		m := kind.Map{{Key: "version", Value: 1}, {Key: "name", Value: f.Name}, {Key: "enabled", Value: f.Disabled == ""}}
		for _, x := range f.Draft {
			if x.Key == "mode" {
				x.Value = "alongside"
			}
			m = append(m, x)
		}
		path := filepath.Join(b.ours.dir, "pipelines/pm2", f.Name+".yaml")
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(written(t, m)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// written is a draft as JSON, which is YAML.
func written(t testing.TB, v any) string {
	t.Helper()
	switch x := v.(type) {
	case kind.Map:
		var parts []string
		for _, f := range x {
			parts = append(parts, written(t, f.Key)+": "+written(t, f.Value))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case []any:
		var parts []string
		for _, f := range x {
			parts = append(parts, written(t, f))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// serve runs the engine of our side until the test ends.
func (b *both) serve(t *testing.T) {
	t.Helper()
	kinds := builtin.Kinds()
	env := []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + t.TempDir(), "HOME=" + b.ours.dir, "PM2_HOME=" + b.ours.dir + "/.pm2"}
	project := config.Load(t.Context(), config.Options{Dir: b.ours.dir, Kinds: kinds})
	for _, x := range project.Problems {
		if x.Severity == diag.Error {
			t.Fatalf("%s:%d: %s", x.File, x.Line, x.Message)
		}
	}
	ready, ended := make(chan struct{}), make(chan error, 1)
	e, err := engine.New(t.Context(), engine.Options{Project: project, Kinds: kinds, Environ: env, Subreaper: true, Serve: engine.Serve{
		Ready: func() { close(ready) },
		Load: func(ctx context.Context, before *config.Project, c config.Change) (*config.Project, *kind.Set) {
			return before.Again(ctx, c), before.Kinds()
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() { ended <- e.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-ended, e.Close()); err != nil {
			t.Error(err)
		}
	})
	select {
	case <-ready:
	case <-time.After(patience):
		t.Fatal("the engine does not come up")
	}
	b.engine = e
}

// says is what the import said of an option: "exact", or "approximated: why".
func says(f kind.Found, key string) string {
	for _, c := range f.Constructs {
		if c.Key == key {
			if c.Note == "" {
				return string(c.Support)
			}
			return string(c.Support) + ": " + c.Note
		}
	}
	return ""
}

package ecosystem_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/kind/kindtest"
	"github.com/redundctl/redundctl/engine/kind/pm2/ecosystem"
	"github.com/redundctl/redundctl/engine/proc"
)

// project is a folder with files, by their paths.
func project(t testing.TB, files map[string]string) string {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func spawner(t testing.TB) *proc.Spawner {
	t.Helper()
	p := kindtest.Spawner(t)
	return p
}

// look reads a project; run has node run what is JavaScript.
func look(t testing.TB, root string, run bool) []kind.Found {
	t.Helper()
	s := kind.Search{Root: root}
	if run {
		s.Evaluate, s.Proc = true, spawner(t)
		s.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + root, "TZ=UTC"}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	found, err := ecosystem.Finder().Find(ctx, s)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// shown writes a Draft as text.
func shown(v any) string {
	switch x := v.(type) {
	case kind.Map:
		var parts []string
		for _, f := range x {
			parts = append(parts, f.Key+": "+shown(f.Value))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case []any:
		var parts []string
		for _, f := range x {
			parts = append(parts, shown(f))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	return fmt.Sprint(v)
}

// usual are files as people write them. What a look at them finds must be what
// running them finds.
func usual() map[string]string {
	return map[string]string{
		"ecosystem.config.js": `// the site
module.exports = {
  apps: [{
    name: "api",
    script: "./server.js",
    instances: 2, exec_mode: 'fork',
    env: { NODE_ENV: "production", PORT: 3000, },
  }, { name: 'nightly report', script: 'jobs/report.js', cron_restart: '0 3 * * *', autorestart: false }],
  deploy: { production: { user: 'node', host: ['10.0.0.1'], ref: 'origin/main' } },
};
`,
		"a/ecosystem.config.cjs": `const path = require('path'); const { join } = require('node:path')
const common = { max_memory_restart: '300M', env: { NODE_ENV: 'production' } }
const port = process.env.PORT || 3000
const app = (name, extra = {}) => ({ name, ...common, script: path.join(__dirname, 'dist', name + '.js'), ...extra })
module.exports = { apps: [
  app('web', { env: { ...common.env, PORT: port, API_TOKEN: process.env.API_TOKEN } }),
  app('worker'),
  ...['mail', 'sms'].map((n, i) => ({ name: ` + "`queue-${n}`" + `, script: 'queue.js', args: [n, String(i)] })),
] }
module.exports.apps.push({ name: 'late', script: join(__dirname, 'late.sh') })
`,
		"a/ecosystem.config.mjs":       "import path from 'node:path'\nconst name = 'esm'\nexport default { apps: [{ name, script: path.resolve('x.mjs'), node_args: '--trace-warnings' }] }\n",
		"a/ecosystem.fn.config.js":     "module.exports = () => { const list = [{ name: 'fn', script: 'fn.js' }]; return { apps: list } }",
		"a/ecosystem.async.config.js":  "module.exports = async function () { return [{ name: 'async', script: 'a.py' }] }",
		"a/ecosystem.bare.config.js":   "'use strict'\nmodule.exports = [{ name: 'bare', exec: 'b.rb' }]",
		"a/ecosystem.single.config.js": "exports.name = 'single'; exports.script = 'npm'; exports.args = 'run start -- --port=1'",
		"b/ecosystem.json":             "{\n  // comments are allowed\n  \"apps\": [{\"name\": \"json\", \"script\": \"j.js\", 'cron': '*/5 * * * *', autorestart: false,}],\n}",
		"b/ecosystem.yaml":             "apps:\n  - &base\n    name: yaml\n    script: y.js\n  - <<: *base\n    name: yaml-two\n    cron_restart: '@daily'\n    autorestart: false\n",
		"b/pm2.config.js":              "const isProd = process.env.NODE_ENV === 'production';\nmodule.exports = { apps: [{ name: 'cond', script: isProd ? 'dist/c.js' : 'src/c.js', instances: isProd ? 'max' : 1, watch: !isProd }] }",
		"process.json":                 `{"apps": [{"script": "named-by-its-script.js"}]}`,
		"b/process.json":               `{"what": "is no business of PM2"}`,
	}
}

// TestFinds: every usual shape and place, with what a person sees first of each.
func TestFinds(t *testing.T) {
	t.Parallel()
	root := project(t, usual())
	want := strings.Join([]string{
		"a/ecosystem.async.config.js:1 async as async", "a/ecosystem.bare.config.js:2 bare as bare",
		"a/ecosystem.config.cjs:4 web as web", "a/ecosystem.config.cjs:4 worker as worker",
		"a/ecosystem.config.cjs:8 queue-mail as queue-mail", "a/ecosystem.config.cjs:8 queue-sms as queue-sms", "a/ecosystem.config.cjs:10 late as late",
		"a/ecosystem.config.mjs:3 esm as esm", "a/ecosystem.fn.config.js:1 fn as fn", "a/ecosystem.single.config.js:0 single as single",
		"b/ecosystem.json:3 json as json [*/5 * * * *]", "b/ecosystem.yaml:2 yaml as yaml", "b/ecosystem.yaml:5 yaml-two as yaml-two [@daily]",
		"b/pm2.config.js:2 cond as cond", "ecosystem.config.js:3 api as api", "ecosystem.config.js:8 nightly report as nightly-report [0 3 * * *]",
		"process.json:1 named-by-its-script as named-by-its-script",
	}, "\n")
	for _, run := range []bool{false, true} {
		var got []string
		for _, f := range look(t, root, run) {
			line := fmt.Sprintf("%s:%d %s as %s", f.Source, f.Line, f.Primary, f.Name)
			for _, d := range f.Schedules {
				line += " [" + d.Cron + "]"
			}
			got = append(got, line)
			if f.Broken != "" || f.Disabled != "" {
				t.Errorf("run %v: %s: %s%s", run, line, f.Broken, f.Disabled)
			}
		}
		if g := strings.Join(got, "\n"); g != want {
			t.Errorf("run %v: found\n%s\nwant\n%s", run, g, want)
		}
	}
}

// TestLookIsRun: what is found without running a file is what is found by running
// it, and what drift compares is the same to the last bit.
func TestLookIsRun(t *testing.T) {
	t.Parallel()
	root := project(t, usual())
	looked, ran := look(t, root, false), look(t, root, true)
	if len(looked) != len(ran) {
		t.Fatalf("found %d, running them %d", len(looked), len(ran))
	}
	for i, a := range looked {
		b := ran[i]
		if a.Script == "" || a.Script != b.Script {
			t.Errorf("%s of %s: script %s, running it %s", a.Primary, a.Source, a.Script, b.Script)
		}
		if x, y := shown(a.Draft), shown(b.Draft); x != y {
			t.Errorf("%s of %s:\n%s\nrunning it\n%s", a.Primary, a.Source, x, y)
		}
		if x, y := fmt.Sprint(a.Constructs), fmt.Sprint(b.Constructs); x != y {
			t.Errorf("%s of %s:\n%s\nrunning it\n%s", a.Primary, a.Source, x, y)
		}
	}
}

package ecosystem_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/kind/pm2/ecosystem"
)

// brief is what was found, a line each.
func brief(found []kind.Found) string {
	var out []string
	for _, f := range found {
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s:%d %s %s", f.Source, f.Line, f.Primary, f.Broken)))
	}
	return strings.Join(out, "\n")
}

// TestLookRunsNothing: coverage, drift and validate read a file that would write
// one, and nothing is written; import does run it.
func TestLookRunsNothing(t *testing.T) {
	t.Parallel()
	root := project(t, map[string]string{"ecosystem.config.js": `
require('fs').writeFileSync(__dirname + '/ran', 'x');
const name = (() => { require('child_process').execSync('touch ran'); return 'api'; })();
process.exitCode = 3;
module.exports = { apps: [{ name: 'api', script: 'a.js' }] };`, "a/ecosystem.json": `{"apps": [{"name": (() => { require("fs").writeFileSync("ran", "") })(), "script": "b.js"}]}`})
	ran := filepath.Join(root, "ran")
	looked := look(t, root, false)
	if _, err := os.Stat(ran); err == nil || len(looked) != 2 || looked[1].Primary != "api" || looked[1].Evaluated {
		t.Fatalf("found %s; the file was run: %v", brief(looked), err == nil)
	}
	found := look(t, root, true)
	if _, err := os.Stat(ran); err != nil || found[1].Primary != "api" || !found[1].Evaluated || found[0].Evaluated {
		t.Errorf("found %s; the file was not run: %v", brief(found), err)
	}
}

// TestEvil: files that hang, end the process, print, throw, or describe the world
// cost at most their time, and say what is wrong with them.
func TestEvil(t *testing.T) {
	t.Parallel()
	const app = "module.exports = { apps: [{ name: 'a', script: 'a.js' }] };"
	for name, c := range map[string]struct{ text, want string }{
		"hangs":     {"while (true) {}\nmodule.exports = load();", "did not end within 5s"},
		"waits":     {"module.exports = new Promise((done) => setInterval(() => {}, 1000));", "did not end within 5s"},
		"deaf":      {"process.on('SIGTERM', () => {}); require('child_process').spawn('sleep', ['1000']); for (;;) {}\nmodule.exports = load();", "did not end within 5s"},
		"exits":     {"process.exit(7);\nmodule.exports = load();", "it ended the process before it was read (exit code 7)"},
		"aborts":    {"process.abort();\nmodule.exports = load();", "it ended the process before it was read"},
		"throws":    {"module.exports = 1;\n\nthrow new TypeError('no\\nway');", "TypeError: no way"},
		"odd throw": {"throw { get message() { throw 1 } };", "Error:"},
		"huge":      {"module.exports = Array.of({ name: 'a', script: 'a.js', env: { X: 'x'.repeat(10 << 20) } });", "too large"},
		"wide":      {"module.exports = Array.from({ length: 1e5 }, (_, i) => ({ name: 'a' + i, script: 'a.js' }));", "too large"},
		"number":    {"module.exports = 7;", "it describes no application"},
		"null":      {"module.exports = null;", "it describes no application"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := project(t, map[string]string{"ecosystem.config.js": c.text})
			began := time.Now()
			found := look(t, root, true)
			if len(found) == 0 || !strings.Contains(found[0].Broken, c.want) || strings.Contains(found[0].Broken, "\n") {
				t.Errorf("found %s, want %q", brief(found), c.want)
			}
			if took := time.Since(began); took > 25*time.Second {
				t.Errorf("it took %s", took)
			}
			_ = look(t, root, false)
		})
	}
	for name, text := range map[string]string{
		"prints":     "console.log('{\"value\": 1}'); process.stdout.write('x'.repeat(1 << 22)); console.error('y');" + app,
		"closes":     "process.stdout.destroy(); JSON.stringify = () => 'z'; require('fs').writeSync = () => { throw 1 };" + app,
		"goes on":    "setInterval(() => {}, 1000); process.on('exit', () => { for (;;) {} });" + app,
		"changes":    "process.chdir('/'); process.env.PATH = ''; Object.prototype.evil = 1;" + app,
		"getter":     "module.exports = { apps: [{ name: 'a', script: 'a.js', get env() { throw new Error('x') } }] };",
		"proxy":      "module.exports = { apps: [{ name: 'a', script: 'a.js', env: new Proxy({}, { ownKeys() { throw 1 } }) }] };",
		"circle":     "const a = { name: 'a', script: 'a.js' }; a.env = { me: a }; module.exports = { apps: [a] };",
		"functions":  "module.exports = { apps: [{ name: 'a', script: 'a.js', args: [() => 1], ignore_watch: [/x/], max_restarts: NaN, env: { F() {}, D: new Date(0), S: Symbol('x'), B: 7n } }] };",
		"never asks": "module.exports = { apps: [{ name: 'a', script: 'a.js' }], get deploy() { throw new Error('x') } };",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found := look(t, project(t, map[string]string{"ecosystem.config.js": text}), true)
			if len(found) != 1 || found[0].Primary != "a" || found[0].Broken != "" {
				t.Errorf("found %s", brief(found))
			}
		})
	}
}

// TestBroken: a file that nobody can read says where, and which applications its
// text seems to hold; none of them gets a pipeline.
func TestBroken(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ file, text, want string }{
		"conflict": {"ecosystem.config.cjs", "module.exports = {\n  apps: [\n<<<<<<< HEAD\n    { name: 'one', script: 'one.js' },\n=======\n    { name: \"two\", cron_restart: '0 * * * *', script: \"two.js\" },\n>>>>>>> x\n  ]\n}\n",
			"ecosystem.config.cjs:3 ecosystem.config.cjs a merge conflict was left in it\necosystem.config.cjs:4 one its file is broken at ecosystem.config.cjs:3: a merge conflict was left in it\necosystem.config.cjs:6 two its file is broken at ecosystem.config.cjs:3: a merge conflict was left in it"},
		"conflict in json": {"ecosystem.json", "{\"apps\": [\n<<<<<<< HEAD\n{\"name\": \"one\", \"script\": \"x\"}\n=======\n>>>>>>> b\n]}", "ecosystem.json:2 ecosystem.json a merge conflict was left in it\necosystem.json:3 one its file is broken at ecosystem.json:2: a merge conflict was left in it"},
		"brace":            {"ecosystem.config.js", "module.exports = { apps: [{ name: 'one', script: 'one.js' }\n", "ecosystem.config.js:2 ecosystem.config.js Expected \"]\" but found end of file\necosystem.config.js:1 one its file is broken at ecosystem.config.js:2: Expected \"]\" but found end of file"},
		"json":             {"ecosystem.json", "{\"apps\": [\n{\"name\": \"one\" \"script\": 1}]}", "ecosystem.json:2 ecosystem.json expected ,, found \"script\"\necosystem.json:2 one its file is broken at ecosystem.json:2: expected ,, found \"script\""},
		"yaml":             {"ecosystem.yml", "apps:\n  - name: one\n   script: x\n", "ecosystem.yml:1 ecosystem.yml did not find expected '-' indicator\necosystem.yml:2 one its file is broken at ecosystem.yml:1: did not find expected '-' indicator"},
		"nul":              {"ecosystem.config.js", "module.exports = '\x00'", "ecosystem.config.js:0 ecosystem.config.js it holds a NUL byte, and is no text"},
		"nul in yaml":      {"ecosystem.yaml", "apps: \x00", "ecosystem.yaml:0 ecosystem.yaml it holds a NUL byte, and is no text"},
		"empty":            {"ecosystem.config.js", "", "ecosystem.config.js:0 ecosystem.config.js it describes no application"},
		"twice":            {"ecosystem.yaml", "apps: []\napps: []\n", "ecosystem.yaml:2 ecosystem.yaml the key apps stands there twice"},
		"no script":        {"ecosystem.json", "{\"apps\": [{\"name\": \"x\"}, 7]}", "ecosystem.json:1 x the application has no script, and PM2 does not start it\necosystem.json:1 ecosystem.json#2 it is no application, but a plain value"},
		"a loop":           {"ecosystem.config.js", "const apps = []\nfor (const name of ['x'])\n  apps.push({ name, script: 'x.js' })\nmodule.exports = { apps }", "ecosystem.config.js:0 ecosystem.config.js it takes running the file to know its applications"},
		"unknown":          {"ecosystem.config.js", "module.exports = { apps: require('./apps') }", "ecosystem.config.js:0 ecosystem.config.js it takes running the file to know its applications"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found := look(t, project(t, map[string]string{c.file: c.text}), false)
			if got := brief(found); got != c.want {
				t.Errorf("found\n%s\nwant\n%s", got, c.want)
			}
			for _, f := range found {
				if len(f.Draft) > 0 || strings.ContainsAny(f.Broken+f.Note, "\n\x00") {
					t.Errorf("%s has a draft, or more than one line: %q", f.Primary, f.Note)
				}
			}
		})
	}
}

// TestSecretsAreNotCopied: no value that looks like a secret, and none that comes
// from the environment, stands in what is found; their names do.
func TestSecretsAreNotCopied(t *testing.T) {
	t.Parallel()
	root := project(t, map[string]string{"ecosystem.config.js": `
process.env.LOADED = 'loaded-hunter22';
const it = process.env;
module.exports = { apps: [{ name: 'a', script: 'a.js',
  args: ['--token', 'arg-hunter22', '--password=arg-hunter22', '--keep', 'me'],
  env: { API_KEY: 'key-hunter22', DB: 'postgres://u:url-hunter22@h/db', FROM: process.env.GIVEN, PLAIN: 'production', TOKEN_TTL: 60,
    WITH: 'x-' + process.env.GIVEN, DEFAULT_PASSWORD: process.env.PASSWORD || 'default-hunter22', LEVEL: process.env.LEVEL || 'info',
    HOUSE: process.env.HOME, COPIED: it.LOADED, DYNAMIC: it['LOA' + 'DED'], WEBHOOK_URL: 'https://x/hunter22', ...Object.fromEntries([['HIDDEN', process.env.GIVEN]]) } }] };`})
	loads := look(t, project(t, map[string]string{"ecosystem.config.js": "require('dotenv').config(); module.exports = { name: 'a', script: 'a.js', env: { LEVEL: process.env.LEVEL || 'info' } }"}), false)
	if d := shown(loads[0].Draft); !strings.Contains(d, "LEVEL: ${{ secrets.LEVEL || 'info' }}") {
		t.Errorf("of a file that reads a .env: %s", d)
	}
	for _, run := range []bool{false, true} {
		s := kind.Search{Root: root}
		if run {
			s.Evaluate, s.Proc, s.Env = true, spawner(t), []string{"PATH=" + os.Getenv("PATH"), "HOME=" + root, "GIVEN=given-hunter22"}
		}
		found, err := ecosystem.Finder().Find(t.Context(), s)
		for range 5 { // on a machine with much to do node may need more than it gets
			if len(found) == 1 && strings.Contains(found[0].Note, "did not end within") {
				found, err = ecosystem.Finder().Find(t.Context(), s)
			}
		}
		if err != nil || len(found) != 1 || found[0].Broken != "" {
			t.Fatalf("%v, %s", err, brief(found))
		}
		f := found[0]
		if all := fmt.Sprintf("%s %+v", shown(f.Draft), f); strings.Contains(all, "hunter22") {
			t.Errorf("run %v: a secret stands in %s", run, all)
		}
		for _, want := range []string{"API_KEY: ${{ secrets.API_KEY }}", "FROM: ${{ secrets.GIVEN }}", "WITH: x-${{ secrets.GIVEN }}", "PLAIN: production", "TOKEN_TTL: 60",
			"DEFAULT_PASSWORD: ${{ secrets.PASSWORD }}", "LEVEL: ${{ env.LEVEL || 'info' }}", "HOUSE: ${{ env.HOME }}", "inherit-env: [LEVEL, HOME]",
			"COPIED: ${{ secrets.LOADED }}", "--token, ${{ secrets.TOKEN }}, --password=${{ secrets.PASSWORD }}, --keep, me"} {
			if d := shown(f.Draft); !strings.Contains(d, want) {
				t.Errorf("run %v: %q is not in %s", run, want, d)
			}
		}
		if run && !strings.Contains(shown(f.Draft), "HIDDEN: ${{ secrets.HIDDEN }}") {
			t.Errorf("a value of the environment: %s", shown(f.Draft))
		}
	}
}

// TestSecretsDeepDown: nor do they where a value is no plain text of env: within
// an object, as a number, as an argument, or in a command.
func TestSecretsDeepDown(t *testing.T) {
	t.Parallel()
	root := project(t, map[string]string{"ecosystem.config.js": `
const given = Reflect.get(process.env, 'GIVEN_TOKEN');
module.exports = [
  { name: 'a', script: 'a.js', args: ['--db', given, '--url=http://h/?' + given],
    env: { CONF: { db: { password: 'deep-hunter22' } }, LIST: [given], PASSWORD: 22222222, PORTS: { web: 80 } } },
  { name: 'b', script: 'node b.js --db ' + given },
];`})
	s := kind.Search{Root: root, Evaluate: true, Proc: spawner(t), Env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + root, "GIVEN_TOKEN=given-hunter22"}}
	found, err := ecosystem.Finder().Find(t.Context(), s)
	if err != nil || len(found) != 2 || found[0].Broken != "" || found[1].Broken != "" {
		t.Fatalf("%v, %s", err, brief(found))
	}
	all := fmt.Sprintf("%s %s %+v", shown(found[0].Draft), shown(found[1].Draft), found)
	if strings.Contains(all, "hunter22") || strings.Contains(all, "22222222") {
		t.Errorf("a secret stands in %s", all)
	}
	for _, want := range []string{"CONF: ${{ secrets.CONF }}", "LIST: ${{ secrets.LIST }}", "PASSWORD: ${{ secrets.PASSWORD }}", `PORTS: {"web":80}`, "--db, ${{ secrets.GIVEN_TOKEN }}", "node b.js --db ${GIVEN_TOKEN}"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is not in %s", want, all)
		}
	}
}

package finder_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/kind/netlify/finder"
	"github.com/redundctl/redundctl/engine/pipeline"
)

func write(t testing.TB, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func find(t testing.TB, s kind.Search) []kind.Found {
	t.Helper()
	found, err := finder.Finder().Find(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// said is one line for each that was found.
func said(found []kind.Found) []string {
	var out []string
	for _, f := range found {
		line := fmt.Sprintf("%s %s:%d", f.Primary, f.Source, f.Line)
		for _, d := range f.Schedules {
			line += fmt.Sprintf(" %q@%s:%d", d.Cron, filepath.Base(d.File), d.Line)
		}
		for _, x := range []string{f.Broken, f.Note, f.Disabled} {
			if x != "" {
				line += " | " + x
			}
		}
		out = append(out, line)
	}
	return out
}

func same(t *testing.T, got, want []string) {
	t.Helper()
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("found\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

const (
	v1       = "exports.handler = async () => ({ statusCode: 200 })\n"
	v2       = "export default async () => {}\nexport const config = { schedule: '@hourly' }\n"
	conflict = "exports.handler = async () => {\n<<<<<<< HEAD\n  one()\n=======\n  two()\n>>>>>>> main\n}\n"
)

// TestDiscovery finds functions where Netlify does, and no others.
func TestDiscovery(t *testing.T) {
	t.Parallel()
	root := write(t, map[string]string{
		"netlify/functions/plain.js":          v1, // no schedule: no primary
		"netlify/functions/hourly.mjs":        v2,
		"netlify/functions/typed.mts":         v2,
		"netlify/functions/named/named.mjs":   v2,
		"netlify/functions/index/index.mjs":   v2,
		"netlify/functions/folder/index.mts":  v2,
		"netlify/functions/folder/helper.mjs": v2,
		"netlify/functions/_lib/util.mjs":     v2,
		"netlify/functions/a/b/b.mjs":         v2,
		"netlify/functions/old.mjs.backup":    v2,
		"netlify/functions/types.d.ts":        "export {}",
		"netlify/functions/two.js":            v1 + "exports.config = { schedule: '@daily' }",
		"netlify/functions/two.ts":            v2,
		"netlify/functions/ignored.js":        v1 + "\nexports.config = { schedule: '*/10 * * * *' }",
		"netlify/functions/broken.js":         "exports.handler = async ( => {}",
		"netlify/functions/conflict.js":       conflict,
		"netlify/functions/never.mjs":         "export default () => {}; export const config = { schedule: '@reboot' }",
		"netlify/functions/made.mjs":          "export default () => {}; export const config = { schedule: every(5) }",
		"netlify/functions/notes.txt":         "",
		"functions/elsewhere.mjs":             v2,
	})
	same(t, said(find(t, kind.Search{Root: root})), []string{
		`broken netlify/functions/broken.js:0 | netlify/functions/broken.js:1:27: Unexpected "=>"`,
		"conflict netlify/functions/conflict.js:0 | netlify/functions/conflict.js:2: a merge conflict was left in it",
		`folder netlify/functions/folder/index.mts:2 "@hourly"@index.mts:2`,
		`hourly netlify/functions/hourly.mjs:2 "@hourly"@hourly.mjs:2`,
		`ignored netlify/functions/ignored.js:3 "*/10 * * * *"@ignored.js:3 | declared, never fires on Netlify: exports.config.schedule at netlify/functions/ignored.js:3 is no schedule there`,
		`index netlify/functions/index/index.mjs:2 "@hourly"@index.mjs:2`,
		"made netlify/functions/made.mjs:1 \"\"@made.mjs:1 | netlify/functions/made.mjs:1: its schedule is not written as a plain text: Netlify cannot read it, nor can redundctl",
		`named netlify/functions/named/named.mjs:2 "@hourly"@named.mjs:2`,
		`never netlify/functions/never.mjs:1 "@reboot"@never.mjs:1 | netlify/functions/never.mjs:1: its schedule "@reboot" is none that Netlify takes: five fields, or @hourly, @daily, @weekly, @monthly, @yearly`,
		`two netlify/functions/two.js:2 "@daily"@two.js:2 | declared, never fires on Netlify: exports.config.schedule at netlify/functions/two.js:2 is no schedule there`,
		`typed netlify/functions/typed.mts:2 "@hourly"@typed.mts:2`,
	})
	same(t, said(find(t, kind.Search{Root: root, Path: filepath.Join(root, "functions")})), []string{`elsewhere functions/elsewhere.mjs:2 "@hourly"@elsewhere.mjs:2`})
	same(t, said(find(t, kind.Search{Root: root, Path: filepath.Join(root, "netlify/functions/plain.js")})), []string{`plain netlify/functions/plain.js:0`})
	for path, want := range map[string]string{"none": "no such file", "netlify/functions/notes.txt": "is none: functions end in"} {
		if _, err := finder.Finder().Find(t.Context(), kind.Search{Root: root, Path: filepath.Join(root, path)}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := finder.Finder().Find(t.Context(), kind.Search{Root: root, Path: t.TempDir()}); err == nil || !strings.Contains(err.Error(), "outside of the project") {
		t.Error(err)
	}
	same(t, said(find(t, kind.Search{Root: t.TempDir()})), nil)
}

// TestSettings reads netlify.toml.
func TestSettings(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		toml string
		want []string
	}{
		"directory": {"[functions]\ndirectory = 'fns'", []string{`b fns/b.mjs:2 "@hourly"@b.mjs:2`}},
		"build":     {"[build]\n  functions = 'fns/'", []string{`b fns/b.mjs:2 "@hourly"@b.mjs:2`}},
		"base":      {"[build]\nbase = 'site'\nfunctions = 'f'", []string{`c site/f/c.mjs:2 "@hourly"@c.mjs:2`}},
		"schedule": {"[functions.\"a\"]\n# [functions.x] schedule = '@daily'\n  schedule = \"30 4 * * *\"\n\n[functions.none]\nschedule = '@daily'", []string{
			`none netlify.toml:6 | netlify.toml:6: there is no function none in netlify/functions that node runs`, `a netlify/functions/a.js:0 "30 4 * * *"@netlify.toml:3`,
		}},
		"inline":  {"[functions]\na = { schedule = '@weekly' }", []string{`a netlify/functions/a.js:0 "@weekly"@netlify.toml:2`}},
		"pattern": {"[functions.\"a*\"]\nschedule = '@weekly'\n[functions.\"z*\"]\nschedule = '@weekly'", []string{`a netlify/functions/a.js:0 "@weekly"@netlify.toml:2`}},
		"ignored": {"[[scheduled]]\nfunction = 'a'\ncron = '0 1 * * *'\n[[functions.schedule]]\nname = 'a'\nschedule = '0 2 * * *'", []string{
			`a netlify/functions/a.js:0 "0 1 * * *"@netlify.toml:3 "0 2 * * *"@netlify.toml:6 | declared, never fires on Netlify: [[scheduled]] at netlify.toml:3 is no schedule there`,
		}},
		"conflict": {"[functions.a]\n<<<<<<< HEAD\nschedule = '@daily'\n=======\nschedule = '@hourly'\n>>>>>>> x", []string{"netlify.toml netlify.toml:2 | netlify.toml:2: a merge conflict was left in it"}},
		"broken":   {"[functions\n", []string{"netlify.toml netlify.toml:1 | netlify.toml:1: expected"}},
		"twice":    {"[build]\nbase = ''\n[build]\n", []string{"netlify.toml netlify.toml:"}},
		"outside":  {"[functions]\ndirectory = '../..'", []string{"netlify.toml netlify.toml:2 | netlify.toml:2: the folder of its functions, ../.., lies outside of the project"}},
		"missing":  {"[functions]\ndirectory = 'nowhere'", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			root := write(t, map[string]string{"netlify.toml": c.toml, "netlify/functions/a.js": v1, "fns/b.mjs": v2, "site/f/c.mjs": v2})
			got := said(find(t, kind.Search{Root: root}))
			if name == "broken" || name == "twice" {
				if len(got) != 1 || !strings.HasPrefix(got[0], c.want[0]) {
					t.Errorf("%q", got)
				}
				return
			}
			same(t, got, c.want)
			if c.want != nil && name != "outside" {
				same(t, said(find(t, kind.Search{Root: root, Path: filepath.Join(root, "netlify.toml")})), c.want)
			}
		})
	}
}

// TestBrokenSettings still finds the functions in the usual folder.
func TestBrokenSettings(t *testing.T) {
	t.Parallel()
	root := write(t, map[string]string{"netlify.toml": "<<<<<<< HEAD\n", "netlify/functions/b.mjs": v2})
	if got := said(find(t, kind.Search{Root: root})); len(got) != 2 || !strings.HasPrefix(got[1], "b ") {
		t.Errorf("%q", got)
	}
}

// value looks into a draft.
func value(m kind.Map, path ...string) any {
	for _, f := range m {
		if f.Key != path[0] {
			continue
		}
		if len(path) == 1 {
			return f.Value
		}
		if in, ok := f.Value.(kind.Map); ok {
			return value(in, path[1:]...)
		}
		if list, ok := f.Value.([]any); ok && len(list) > 0 {
			return value(list[0].(kind.Map), path[1:]...)
		}
	}
	return nil
}

// TestDraft says what would back a function up.
func TestDraft(t *testing.T) {
	t.Parallel()
	root := write(t, map[string]string{
		"netlify.toml":                            "[functions.often]\nschedule = '*/15 * * * *'\nincluded_files = ['data/*']\n[functions.slow-background]\nschedule = '@daily'",
		".netlify/state.json":                     `{"siteId": "abc-1"}`,
		"automation/x.cjs":                        "",
		"netlify/functions/often.js":              "const { execSync } = require('child_process')\nexports.handler = async () => { execSync('node automation/x.cjs'); execSync('node automation/gone.cjs'); return { statusCode: 200, body: process.env.MAIL_KEY + process.env.URL } }",
		"netlify/functions/slow-background.js":    v1,
		"netlify/functions/blobs.mjs":             "import { getStore } from '@netlify/blobs'\n" + v2,
		"netlify/functions/Ünder_score Name 1.js": v1 + "exports.config = { schedule: '@daily' }",
	})
	found := find(t, kind.Search{Root: root})
	if len(found) != 4 {
		t.Fatalf("%q", said(found))
	}
	by := map[string]kind.Found{}
	for _, f := range found {
		by[f.Name] = f
	}
	often := by["often"]
	for path, want := range map[string]any{
		"primary/netlify-function/site": "abc-1", "primary/netlify-function/function": "often", "covers": "since", "schedule/cron": "*/15 * * * *",
		"timeout": "1m", "steps/uses": "netlify/function", "steps/with/file": "netlify/functions/often.js", "steps/with/event": "schedule",
		"steps/with/env/MAIL_KEY": "${{ secrets.MAIL_KEY }}", "steps/with/env/URL": nil, "mode": nil,
	} {
		if got := value(often.Draft, strings.Split(path, "/")...); got != want {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	}
	steps, _ := value(often.Draft, "steps").([]any)
	if len(steps) != 1 || !strings.Contains(fmt.Sprint(steps[0]), "it starts automation/x.cjs, which a step of its own could run") {
		t.Errorf("%+v", steps)
	}
	if fmt.Sprint(often.Secrets) != "[MAIL_KEY]" || len(often.Script) != 64 {
		t.Errorf("%+v", often)
	}
	if want := "names automation/gone.cjs at line 2, which is not there"; often.Note != want {
		t.Errorf("note %s", often.Note)
	}
	var keys []string
	for _, c := range often.Constructs {
		keys = append(keys, fmt.Sprintf("%s %s %s:%d", c.Key, c.Support, filepath.Base(c.File), c.Line))
	}
	same(t, keys, []string{
		`functions."often".schedule exact netlify.toml:2`, `functions.included_files approximated netlify.toml:3`,
		`child_process automation/x.cjs exact often.js:2`, `child_process automation/gone.cjs unsupported often.js:2`,
		`env.MAIL_KEY approximated often.js:2`, `env.URL approximated often.js:2`,
	})
	if b := by["slow-background"]; value(b.Draft, "steps", "with", "timeout") != "15m" || value(b.Draft, "covers") != nil {
		t.Errorf("%+v", b.Draft)
	}
	if b := by["blobs"]; !strings.Contains(b.Disabled, "@netlify/blobs (line 1)") {
		t.Errorf("%+v", b)
	}
	if n := by["nder-score-name-1"]; value(n.Draft, "mode") != "replacement" || n.Primary != "Ünder_score Name 1" {
		t.Errorf("%+v", n)
	}
	backs := finder.Finder().Backs
	if !backs(&pipeline.Primary{Kind: "netlify-function", With: map[string]any{"function": "often"}}, &often) ||
		backs(&pipeline.Primary{Kind: "netlify-function", With: map[string]any{"function": "other"}}, &often) ||
		backs(&pipeline.Primary{Kind: "heartbeat", With: map[string]any{"function": "often"}}, &often) || backs(nil, &often) {
		t.Error("which pipeline backs it up is not known")
	}
}

// TestLinks does not leave the project.
func TestLinks(t *testing.T) {
	t.Parallel()
	outside := write(t, map[string]string{"secret.mjs": v2})
	root := write(t, map[string]string{"netlify/functions/a.mjs": v2, "lib/b.mjs": v2, "netlify/functions/c/x": ""})
	for link, to := range map[string]string{"netlify/functions/out.mjs": filepath.Join(outside, "secret.mjs"), "netlify/functions/b.mjs": "../../lib/b.mjs", "netlify/functions/loop.mjs": "loop.mjs", "netlify/functions/c/index.mjs": filepath.Join(outside, "secret.mjs")} {
		if err := os.Symlink(to, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	same(t, said(find(t, kind.Search{Root: root})), []string{`a netlify/functions/a.mjs:2 "@hourly"@a.mjs:2`, `b netlify/functions/b.mjs:2 "@hourly"@b.mjs:2`})
}

// TestMany finds 750 functions, in a second or two where nothing else runs.
func TestMany(t *testing.T) {
	files := map[string]string{}
	for i := range 750 {
		files[fmt.Sprintf("netlify/functions/f%d.js", i)] = "const { execSync } = require('child_process')\n" + strings.Repeat("// filler\nfunction a(x) { return x ? `t${x}` : /a/g.test(x) }\n", 40) +
			v1 + fmt.Sprintf("exports.config = { schedule: '%d * * * *' }", i%60)
	}
	root := write(t, files)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	start := time.Now()
	found := find(t, kind.Search{Root: root})
	took := time.Since(start)
	runtime.ReadMemStats(&after)
	t.Logf("%d in %s, %d KB of stack and heap more", len(found), took, (int64(after.Sys)-int64(before.Sys))>>10)
	if len(found) != 750 || took > time.Minute {
		t.Errorf("%d in %s", len(found), took)
	}
}

// FuzzSettings reads any netlify.toml.
func FuzzSettings(f *testing.F) {
	for _, s := range []string{"[functions.a]\nschedule='@daily'", "[[scheduled]]\ncron=1", "functions={a={schedule=''}}", "[build]\nbase='/../x'\nfunctions=['a']", "<<<<<<< a", "[functions]\n\"\"={}", "a.b.c=1"} {
		f.Add(s)
	}
	root := write(f, map[string]string{"netlify/functions/a.js": v1})
	f.Fuzz(func(t *testing.T, text string) {
		dir := t.TempDir()
		if err := os.Symlink(filepath.Join(root, "netlify"), filepath.Join(dir, "netlify")); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "netlify.toml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		found, err := finder.Finder().Find(t.Context(), kind.Search{Root: dir})
		if err != nil && strings.Contains(err.Error(), "\n") {
			t.Error(err)
		}
		for _, x := range found {
			if strings.Contains(x.Broken+x.Note, "\n") {
				t.Errorf("%+v", x)
			}
		}
	})
}

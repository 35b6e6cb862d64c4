package pipelines

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// locked makes a package.json with its lock file of packages that are there and
// under these licences: once 1.4.0 has been the last one since 2016.
func locked(t *testing.T, packages map[string][2]string) (manifest, lock string) {
	t.Helper()
	wanted, all := map[string]string{}, map[string]any{}
	for name, p := range packages {
		wanted[name] = p[0]
		all["node_modules/"+name] = map[string]any{"version": p[0], "license": p[1]}
	}
	all[""] = map[string]any{"name": "functions", "version": "1.0.0", "dependencies": wanted}
	a, err := json.Marshal(map[string]any{"name": "functions", "version": "1.0.0", "private": true, "type": "module", "dependencies": wanted})
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(map[string]any{"name": "functions", "version": "1.0.0", "lockfileVersion": 3, "requires": true, "packages": all})
	if err != nil {
		t.Fatal(err)
	}
	return string(a), string(b)
}

// TestDependencyCheck: both pipelines, the one for the project and the one for
// its functions, against the real registry.
func TestDependencyCheck(t *testing.T) {
	t.Parallel()
	for name, dir := range map[string]string{"github-actions/dependency-check": ".", "netlify-functions/dependency-check": "netlify"} {
		t.Run(filepath.Dir(name), func(t *testing.T) {
			t.Parallel()
			r := newRepo(t, map[string]string{
				dir + "/functions/hello.mjs": "import once from 'once'\nimport fs from 'node:fs'\n\nexport default once(() => fs.existsSync('x'))\n",
			}, name)
			have := func(packages map[string][2]string) {
				manifest, lock := locked(t, packages)
				r.write(dir+"/package.json", strings.Replace(manifest, "{", `{"main":"functions/hello.mjs",`, 1))
				r.write(dir+"/package-lock.json", lock)
			}
			once := [2]string{"1.4.0", "ISC"}
			have(map[string][2]string{"once": once})
			r.run("dependencyCheck").clean()

			r.write(dir+"/functions/hello.mjs", "import once from 'once'\nimport chalk from 'chalk'\n\nexport default once(() => chalk)\n")
			r.run(name).found("used and not declared: chalk (functions/hello.mjs:2)")
			if dir != "." || !variants() {
				return // the work is the same script's, with another folder
			}
			r.write(dir+"/functions/hello.mjs", "import once from 'once'\nimport fs from 'node:fs'\n\nexport default once(() => fs.existsSync('x'))\n")

			have(map[string][2]string{"once": once, "uuid": {"3.4.0", "MIT"}})
			e := r.run(name)
			e.found("more than 2 major versions behind: uuid 3.4.0 (latest ")
			if strings.Contains(e.Error, "once") {
				t.Errorf("once is of today, and: %s", e.Error)
			}
			var report struct{ Unused []struct{ Name string } }
			e.report("dependencies.json", &report)
			if len(report.Unused) != 1 || report.Unused[0].Name != "uuid" {
				t.Errorf("unused: %v", report.Unused)
			}
			r.run(name, "max-major-behind=1000").clean()

			have(map[string][2]string{"once": {"1.4.0", "GPL-3.0-only"}})
			r.run(name).found("licences off the list: once 1.4.0 (GPL-3.0-only)")
			r.run(name, "licences=MIT, GPL-3.0-only").clean()
			have(map[string][2]string{"once": {"1.4.0", "(GPL-3.0-only OR MIT)"}})
			r.run(name).clean()
		})
	}
}

// TestDependencyCheckNeedsItsRegistry: what could not be asked is no success.
func TestDependencyCheckNeedsItsRegistry(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{"index.js": "require('once')\n"}, "github-actions/dependency-check")
	manifest, lock := locked(t, map[string][2]string{"once": {"1.4.0", "ISC"}})
	r.write("package.json", strings.Replace(manifest, `"type":"module",`, "", 1))
	r.run("dependency-check").found("has no package-lock.json")
	r.write("package-lock.json", lock)
	gone := newPages(t)
	r.run("dependency-check", "registry="+gone.URL).found("what is newer than once could not be asked for", "404")
}

// TestDeadCodeAudit: only what the recorded baseline has not fails.
func TestDeadCodeAudit(t *testing.T) {
	t.Parallel()
	r := newRepo(t, map[string]string{
		"package.json":      `{"name":"site","version":"1.0.0","private":true,"type":"module","main":"src/index.mjs"}`,
		"src/index.mjs":     "import {used} from './lib/parts.mjs'\n\nconsole.log(used)\n",
		"src/lib/parts.mjs": "export const used = 1\n",
	}, "netlify-functions/dead-code-audit")
	r.run("dead-code-audit").clean()
	r.write("src/lib/old.mjs", "export const old = 1\n")
	r.write("src/lib/parts.mjs", "// A comment moves everything.\nexport const used = 1\nexport const never = 2\n")
	r.run("dead-code-audit").found("2 that nobody uses and the baseline has not, as exports src/lib/parts.mjs never", "record=true")
	if !variants() {
		return
	}
	r.run("dead-code-audit", "record=true").clean()
	r.write("src/lib/parts.mjs", "// A comment moves everything.\n// Once more.\nexport const used = 1\nexport const never = 2\n")
	r.run("dead-code-audit").clean()
	r.write("src/lib/new.mjs", "export const dead = 1\n")
	r.run("dead-code-audit").found("1 that nobody uses and the baseline has not, as files src/lib/new.mjs")
	if err := os.Remove(filepath.Join(r.dir, "src/lib/new.mjs")); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(r.dir, "src/lib/old.mjs")); err != nil {
		t.Fatal(err)
	}
	var report struct{ Gone []string }
	e := r.run("dead-code-audit")
	e.clean()
	e.report("dead-code.json", &report)
	if len(report.Gone) != 1 || report.Gone[0] != "files src/lib/old.mjs" {
		t.Errorf("gone: %q", report.Gone)
	}
	r.write("dead-code.json", "{")
	r.run("dead-code-audit").found("dead-code.json: ", "record=true")
}

// TestDependencyCheckOfTheExample: the faults that the functions of the example
// site have on purpose are found, each.
func TestDependencyCheckOfTheExample(t *testing.T) {
	t.Parallel()
	r := newRepo(t, nil, "netlify-functions/dependency-check")
	for _, name := range []string{"package.json", "package-lock.json", "lib/reminder.mjs"} {
		text, err := os.ReadFile(filepath.Join("../examples/site/netlify", name))
		if err != nil {
			t.Fatal(err)
		}
		r.write("netlify/"+name, string(text))
	}
	e := r.run("dependency-check")
	e.found("used and not declared: once (lib/reminder.mjs:4)", "licences off the list: left-pad 1.3.0 (WTFPL)", "more than 2 major versions behind: uuid 3.4.0")
	if text := e.report("dependencies.md", nil); !strings.Contains(text, "| left-pad | package.json |") {
		t.Errorf("left-pad is not told of as unused:\n%s", text)
	}
}

package pipelines

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// smallGroup is install.mjs with a group of tools that has no package, which
// npm installs without any network.
func smallGroup(t *testing.T) (script string) {
	t.Helper()
	dir := t.TempDir()
	src, err := os.ReadFile("tools/install.mjs")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"install.mjs": string(src), "small/package.json": `{"name": "small", "private": true}`,
		"small/package-lock.json": `{"name": "small", "lockfileVersion": 3, "requires": true, "packages": {"": {"name": "small"}}}`,
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "install.mjs")
}

func install(ctx context.Context, script, group, cache string, env ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "node", script, group)
	cmd.Env = append(append(os.Environ(), "XDG_CACHE_HOME="+cache), env...)
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// TestToolsAtOnce: several runs that need the same tools get the same ones, and
// one that died while it installed them holds nobody up.
func TestToolsAtOnce(t *testing.T) {
	t.Parallel()
	script, cache := smallGroup(t), t.TempDir()
	first, err := install(t.Context(), script, "small", cache)
	if err != nil {
		t.Fatalf("%v: %s", err, first)
	}
	if err := os.RemoveAll(first); err != nil {
		t.Fatal(err)
	}
	long := time.Now().Add(-time.Hour)
	if err := os.Mkdir(first+".lock", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(first+".lock", long, long); err != nil {
		t.Fatal(err)
	}
	type answer struct {
		dir string
		err error
	}
	answers := make(chan answer)
	for range 3 {
		go func() {
			dir, err := install(t.Context(), script, "small", cache)
			answers <- answer{dir, err}
		}()
	}
	for range 3 {
		if a := <-answers; a.err != nil || a.dir != first {
			t.Errorf("%v: %s, want %s", a.err, a.dir, first)
		}
	}
	left, err := os.ReadDir(filepath.Dir(first))
	if err != nil || len(left) != 1 {
		t.Errorf("%v: left are %v", err, left)
	}
}

// TestToolsCannotBeFetched: that is a failure which says so, and the next run
// begins anew.
func TestToolsCannotBeFetched(t *testing.T) {
	t.Parallel()
	cache := t.TempDir()
	said, err := install(t.Context(), "tools/install.mjs", "site", cache, "npm_config_registry=http://127.0.0.1:9/", "npm_config_fetch_retries=0",
		"npm_config_cache="+t.TempDir())
	if err == nil || !strings.HasPrefix(said, `installing the tools of "site": npm could not fetch them (exit code 1): `) || strings.Contains(said, "\n") {
		t.Errorf("%v: %s", err, said)
	}
	left, err := os.ReadDir(filepath.Join(cache, "redundctl/tools"))
	if err != nil || len(left) != 0 {
		t.Errorf("%v: left are %v", err, left)
	}
	if said, err := install(t.Context(), "tools/install.mjs", "no-such", cache); err == nil || !strings.Contains(said, "names no folder") {
		t.Errorf("%v: %s", err, said)
	}
}

// TestSiteThatIsNotBuilt: what could not be looked at is no success.
func TestSiteThatIsNotBuilt(t *testing.T) {
	t.Parallel()
	p := newProject(t, "site")
	p.fails("seo-audit", []string{"there is no folder dist with a built site"}, "build=false")
	p.edit("build.mjs", "let built = 0", "throw new Error('no paint')\nlet built = 0")
	p.fails("seo-audit", []string{"the site could not be built: npm run build: exit code 1", "no paint"})
}

// TestSitesAtOnce: pipelines of one project that build it at the same time do
// not get into each other's way.
func TestSitesAtOnce(t *testing.T) {
	t.Parallel()
	p := newProject(t, "site")
	p.edit("build.mjs", "let built = 0", "fs.mkdirSync('building') // fails where another is at it\nlet built = 0", "console.log(", "fs.rmdirSync('building')\nconsole.log(")
	ran := make(chan outcome)
	for range 3 {
		go func() { ran <- p.run("site-crawler") }()
	}
	for range 3 {
		if o := <-ran; o.State != "failed" || !strings.Contains(o.Error, "1 finding: /old-timetable.html") {
			t.Errorf("%s: %s\n%s", o.State, o.Error, o.printed)
		}
	}
}

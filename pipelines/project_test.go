package pipelines

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// project is a copy of examples/site in a folder of its own, with the bundled
// pipelines and their tools beside it, as a user has them.
type project struct {
	folder
	cache string   // XDG_CACHE_HOME: what pipelines remember of this project
	env   []string // more of the environment of redundctl, KEY=VALUE
}

// newProject makes the copy. The groups of tools named are installed, once for
// this machine; where npm cannot fetch them the test fails.
func newProject(t *testing.T, groups ...string) *project {
	t.Helper()
	p := &project{folder: folder{t, t.TempDir()}, cache: t.TempDir()}
	p.copy("../examples/site", ".")
	for _, system := range []string{"netlify-functions", "tools"} {
		p.copy(system, "pipelines/"+system)
	}
	for _, group := range groups {
		install := exec.CommandContext(t.Context(), "node", "tools/install.mjs", group)
		install.Env = append(os.Environ(), "XDG_CACHE_HOME="+userCache(t))
		if said, err := install.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, said)
		}
	}
	shareTools(t, p.cache)
	return p
}

func (p *project) copy(from, to string) {
	p.t.Helper()
	err := filepath.WalkDir(from, func(name string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if slices.Contains([]string{"dist", "node_modules", ".redund"}, d.Name()) {
				return filepath.SkipDir
			}
			return os.MkdirAll(filepath.Join(p.dir, to, rel), 0o755)
		}
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(p.dir, to, rel), b, 0o644)
	})
	if err != nil {
		p.t.Fatal(err)
	}
}

// edit replaces texts, in pairs, each of which the file must hold.
func (p *project) edit(name string, pairs ...string) {
	p.t.Helper()
	text := p.read(name)
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			p.t.Fatalf("%s does not hold %q", name, pairs[i])
		}
		text = strings.ReplaceAll(text, pairs[i], pairs[i+1])
	}
	p.write(name, text)
}

// git runs git in the project, at a date that stays the same.
func (p *project) git(date string, args ...string) string {
	p.t.Helper()
	cmd := exec.CommandContext(p.t.Context(), "git", args...)
	cmd.Dir = p.dir
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "GIT_AUTHOR_DATE="+date, "GIT_COMMITTER_DATE="+date,
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com")
	out, err := cmd.CombinedOutput()
	if err != nil {
		p.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// run runs a pipeline by the real program, with params as name=value.
func (p *project) run(pipeline string, params ...string) outcome {
	p.t.Helper()
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + p.t.TempDir(), "TMPDIR=" + p.t.TempDir(), "XDG_CACHE_HOME=" + p.cache}
	return p.redundctl(append(env, p.env...), pipeline, params...)
}

// fails runs a pipeline that must fail, and whose error must hold these texts.
func (p *project) fails(pipeline string, says []string, params ...string) outcome {
	p.t.Helper()
	o := p.run(pipeline, params...)
	if o.State != "failed" || o.code != 1 {
		p.t.Fatalf("%s is %s with exit code %d, want a failure\n%s", pipeline, o.State, o.code, o.printed)
	}
	for _, text := range says {
		if !strings.Contains(o.Error, text) {
			p.t.Errorf("%s: its error does not say %q: %s\n%s", pipeline, text, o.Error, o.printed)
		}
	}
	return o
}

// succeeds runs a pipeline that must succeed.
func (p *project) succeeds(pipeline string, params ...string) outcome {
	p.t.Helper()
	o := p.run(pipeline, params...)
	if o.State != "succeeded" || o.code != 0 {
		p.t.Fatalf("%s is %s with exit code %d: %s\n%s", pipeline, o.State, o.code, o.Error, o.printed)
	}
	return o
}

// found are the findings in the report of a run, as "rule file".
func (p *project) found(o outcome, pipeline string) []string {
	p.t.Helper()
	var report struct{ Findings []struct{ File, Rule string } }
	if err := json.Unmarshal([]byte(p.artifact(o, pipeline+".json")), &report); err != nil {
		p.t.Fatal(err)
	}
	if md := p.artifact(o, pipeline+".md"); !strings.HasPrefix(md, "# "+pipeline+"\n") {
		p.t.Errorf("the report for people begins with %.40q", md)
	}
	found := []string{}
	for _, f := range report.Findings {
		found = append(found, f.Rule+" "+f.File)
	}
	slices.Sort(found)
	return found
}

// finds holds that the report of a run has exactly these findings.
func (p *project) finds(o outcome, pipeline string, want ...string) {
	p.t.Helper()
	slices.Sort(want)
	if got := p.found(o, pipeline); !slices.Equal(got, want) {
		p.t.Errorf("%s found %q, want %q", pipeline, got, want)
	}
}

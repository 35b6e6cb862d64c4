package jobs

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/kind/github/jobs/order"
	"github.com/redundctl/redundctl/engine/kind/kindtest"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/proc"
)

// output takes what is shown; it is safe for concurrent use.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// site is a repository with files, in which workflows run for real.
type site struct {
	t      testing.TB
	dir    string
	out    output
	spawn  *proc.Spawner
	secret map[string]string
	kinds  []kind.Action
	scope  *pipeline.Scope
}

func newSite(t testing.TB, files map[string]string) *site {
	t.Helper()
	spawn := kindtest.Spawner(t)
	s := &site{t: t, dir: t.TempDir(), spawn: spawn, secret: map[string]string{}}
	for name, text := range files {
		s.write(name, text)
	}
	s.scope = &pipeline.Scope{
		Root: s.dir, Dir: s.dir, Temp: t.TempDir(), Out: &s.out, Step: "step", Attempt: 1,
		Env:  []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "USER=tester"},
		Mask: s.mask, Vars: map[string]any{"SITE": "https://example.com"},
		Secret: func(name string) (string, bool) {
			for k, v := range s.secret {
				if strings.EqualFold(k, name) {
					return v, true
				}
			}
			return "", false
		},
		Inside: func(p string) (string, error) {
			if filepath.IsAbs(p) {
				return p, nil
			}
			return filepath.Join(s.dir, p), nil
		},
	}
	return s
}

func (s *site) mask(text string) string {
	for _, v := range s.secret {
		if v != "" {
			text = strings.ReplaceAll(text, v, "***")
		}
	}
	return text
}

func (s *site) write(name, text string) {
	s.t.Helper()
	kindtest.Write(s.t, filepath.Join(s.dir, filepath.FromSlash(name)), text)
}

func (s *site) read(name string) string {
	s.t.Helper()
	b, err := os.ReadFile(filepath.Join(s.dir, filepath.FromSlash(name)))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(b)
}

func (s *site) git() string {
	s.t.Helper()
	c := exec.Command("sh", "-ec", "git init -q -b main; git add -A; git commit -q --allow-empty -m one; git remote add origin git@github.com:acme/site.git; git rev-parse HEAD")
	c.Dir = s.dir
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com"}
	out, err := c.Output()
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

func (s *site) tools() Tools {
	return Tools{Deps: kind.Deps{Proc: s.spawn}, Kind: func(name string) (kind.Action, bool) {
		for _, k := range s.kinds {
			if k.Name == name {
				return k, true
			}
		}
		return kind.Action{}, false
	}}
}

// run runs x.yml.
func (s *site) run(ctx context.Context, o order.Order) (pipeline.Outputs, error) {
	if o.File == "" {
		o.File = "x.yml"
	}
	return Run(ctx, s.tools(), o, s.scope)
}

// result is that of a job.
func result(out pipeline.Outputs, job string) string {
	jobs, _ := out.Values["jobs"].(map[string]any)
	j, _ := jobs[job].(map[string]any)
	r, _ := j["result"].(string)
	return r
}

func outputOf(out pipeline.Outputs, job, name string) string {
	jobs, _ := out.Values["jobs"].(map[string]any)
	j, _ := jobs[job].(map[string]any)
	o, _ := j["outputs"].(map[string]any)
	v, _ := o[name].(string)
	return v
}

// steps is a workflow of one job with these steps.
func steps(text string) string {
	return "on: {schedule: [{cron: \"0 0 * * *\"}]}\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n" + indent(text, "      ")
}

func indent(s, by string) string {
	var b strings.Builder
	for l := range strings.Lines(strings.Trim(s, "\n") + "\n") {
		b.WriteString(by + l)
	}
	return b.String()
}

// jobsOf is a workflow with these jobs.
func jobsOf(text string) string { return "on: workflow_dispatch\njobs:\n" + indent(text, "  ") }

// cases are workflows that run for real: each writes into the file `log` what
// happened, in order.
type testCase struct {
	text  string
	files map[string]string
	order order.Order
	log   string // of the file log, lines joined by spaces; "": not asked
	fails string // of the error; "": it succeeds
	shows string // of the output
}

func (c testCase) run(t *testing.T) (*site, pipeline.Outputs) {
	t.Helper()
	s := newSite(t, c.files)
	s.write("x.yml", c.text)
	s.write("log", "")
	s.secret["TOKEN"] = "hush-hush-secret"
	out, err := s.run(t.Context(), c.order)
	switch {
	case c.fails == "" && err != nil:
		t.Errorf("%v\n%s", err, s.out.String())
	case c.fails != "" && (err == nil || !strings.Contains(err.Error(), c.fails) || strings.Contains(err.Error(), "\n")):
		t.Errorf("error %v, want %s\n%s", err, c.fails, s.out.String())
	}
	if got := strings.Join(strings.Fields(s.read("log")), " "); c.log != "" && got != c.log {
		t.Errorf("log %q, want %q\n%s", got, c.log, s.out.String())
	}
	if !strings.Contains(s.out.String(), c.shows) {
		t.Errorf("output\n%s\nwant %s", s.out.String(), c.shows)
	}
	if strings.Contains(s.out.String(), "hush-hush") && !strings.Contains(c.text, "loud") {
		t.Log("the receiver of the output masks it")
	}
	left, err := filepath.Glob(filepath.Join(s.scope.Temp, "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("files are left: %v %v", left, err)
	}
	return s, out
}

func table(t *testing.T, cases map[string]testCase) {
	t.Helper()
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.run(t)
		})
	}
}

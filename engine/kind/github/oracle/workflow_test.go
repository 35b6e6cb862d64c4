package oracle

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nektos/act/pkg/model"
	"github.com/nektos/act/pkg/runner"
	"github.com/sirupsen/logrus"
	"golang.org/x/tools/txtar"
	"gopkg.in/yaml.v3"
)

// workflow is the file of a case that is run.
const workflow = ".github/workflows/x.yml"

// told is the end of a job as its last step tells it.
const told = `echo "STEPS $(printf '%s' "$ORACLE_STEPS" | tr -d '\n')"`

// outcome is what a workflow came to, in a form that both can be brought to.
type outcome struct {
	Result string         `json:"result"`
	Jobs   map[string]job `json:"jobs"`
}

// job is one job: with a matrix, all of its combinations together.
type job struct {
	Result  string            `json:"result"`
	Outputs map[string]string `json:"outputs"`
	// Lines are those that begin with OUT, of a matrix in alphabetical order, for
	// its combinations run side by side.
	Lines []string `json:"lines"`
	Steps []string `json:"steps"` // those with an id: id outcome conclusion outputs
}

// text is an outcome for people, one fact a line.
func (o outcome) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "result %s\n", o.Result)
	for _, id := range slices.Sorted(maps.Keys(o.Jobs)) {
		j := o.Jobs[id]
		fmt.Fprintf(&b, "job %s %s\n", id, j.Result)
		for _, k := range slices.Sorted(maps.Keys(j.Outputs)) {
			fmt.Fprintf(&b, "  output %s=%q\n", k, j.Outputs[k])
		}
		for _, s := range j.Steps {
			fmt.Fprintf(&b, "  step %s\n", s)
		}
		for _, l := range j.Lines {
			fmt.Fprintf(&b, "  %s\n", l)
		}
	}
	return b.String()
}

// gather sorts the lines of a run to its jobs.
type gather struct {
	mu    sync.Mutex
	lines map[string][]string // by job
}

func (g *gather) add(job, line string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.lines == nil {
		g.lines = map[string][]string{}
	}
	g.lines[job] = append(g.lines[job], strings.TrimRight(line, "\r\n"))
}

// into gives a job the lines that are its own.
func (g *gather) into(id string, j *job, matrix bool) {
	for _, line := range g.lines[id] {
		if text, ok := strings.CutPrefix(line, "STEPS "); ok {
			j.Steps = append(j.Steps, steps(text)...)
		}
		if text, ok := strings.CutPrefix(line, "OUT "); ok {
			j.Lines = append(j.Lines, "OUT "+text)
		}
	}
	if matrix {
		slices.Sort(j.Lines)
		slices.Sort(j.Steps)
	}
}

// steps are the steps with an id, in the order of their ids.
func steps(text string) []string {
	var all map[string]struct {
		Outcome, Conclusion string
		Outputs             map[string]string
	}
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		return []string{"the steps cannot be read: " + text}
	}
	var out []string
	for _, id := range slices.Sorted(maps.Keys(all)) {
		if strings.Trim(id, "0123456789") == "" || strings.HasPrefix(id, "__") || id == "oracle_steps" {
			continue // made up
		}
		outputs, _ := json.Marshal(all[id].Outputs)
		if len(all[id].Outputs) == 0 {
			outputs = []byte("{}")
		}
		out = append(out, fmt.Sprintf("%s %s %s %s", id, all[id].Outcome, all[id].Conclusion, outputs))
	}
	return out
}

// matrices are the jobs with a matrix, and instrument adds the step that tells
// about the others.
func instrument(t *testing.T, src []byte) (out []byte, matrices map[string]bool) {
	t.Helper()
	var doc yaml.Node
	if err := yaml.Unmarshal(src, &doc); err != nil {
		t.Fatal(err)
	}
	matrices = map[string]bool{}
	jobs := field(doc.Content[0], "jobs")
	for i := 0; i+1 < len(jobs.Content); i += 2 {
		matrices[jobs.Content[i].Value] = field(jobs.Content[i+1], "strategy") != nil
		if list := field(jobs.Content[i+1], "steps"); list != nil {
			var step yaml.Node
			if err := step.Encode(map[string]any{"id": "oracle_steps", "if": "always()", "shell": "bash", "run": told, "working-directory": ".",
				"env": map[string]string{"ORACLE_STEPS": "${{ toJSON(steps) }}"}}); err != nil {
				t.Fatal(err)
			}
			list.Content = append(list.Content, &step)
		}
	}
	out, err := yaml.Marshal(&doc)
	if err != nil {
		t.Fatal(err)
	}
	return out, matrices
}

func field(n *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// repository puts the files of a case into a repository of its own.
func repository(t *testing.T, files map[string][]byte) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "site")
	for name, text := range files {
		p := filepath.Join(dir, name)
		mode := os.FileMode(0o644)
		if strings.HasSuffix(name, ".sh") {
			mode = 0o755
		}
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, text, mode); err != nil {
			t.Fatal(err)
		}
	}
	git := exec.Command("sh", "-ec", "git init -q -b main; git add -A; git commit -qm one; git remote add origin https://github.com/acme/site.git")
	git.Dir = dir
	git.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a",
		"GIT_COMMITTER_EMAIL=a@example.com", "GIT_AUTHOR_DATE=2026-01-02T03:04:05Z", "GIT_COMMITTER_DATE=2026-01-02T03:04:05Z"}
	if out, err := git.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir
}

// Secrets, variables and time of all cases.
const (
	secretValue = "pa55-of-the-oracle"
	limit       = 2 * time.Minute
)

// loggers give act a log that is read line by line.
type loggers struct{ g *gather }

// WithJobLogger makes the log of one job.
func (l loggers) WithJobLogger() *logrus.Logger {
	out := logrus.New()
	out.SetFormatter(&logrus.JSONFormatter{})
	out.SetOutput(&entries{g: l.g})
	return out
}

// entries reads the log of act.
type entries struct {
	g    *gather
	rest []byte
}

// Write takes one entry or several.
func (e *entries) Write(b []byte) (int, error) {
	e.rest = append(e.rest, b...)
	for {
		i := bytes.IndexByte(e.rest, '\n')
		if i < 0 {
			return len(b), nil
		}
		var x struct {
			JobID string `json:"jobID"`
			Raw   bool   `json:"raw_output"`
			Msg   string `json:"msg"`
		}
		if json.Unmarshal(e.rest[:i], &x) == nil && x.Raw {
			e.g.add(x.JobID, x.Msg)
		}
		e.rest = e.rest[i+1:]
	}
}

// byAct runs a workflow with act on this machine.
func byAct(t *testing.T, files map[string][]byte, matrices map[string]bool) outcome {
	t.Helper()
	dir := repository(t, files)
	planner, err := model.NewWorkflowPlanner(filepath.Join(dir, workflow), true, false)
	if err != nil {
		return outcome{Result: "refused"}
	}
	plan, err := planner.PlanEvent("push")
	if err != nil {
		return outcome{Result: "refused"}
	}
	r, err := runner.New(&runner.Config{
		Workdir: dir, ActionCacheDir: t.TempDir(), EventName: "push", LogOutput: true, Secrets: map[string]string{"TOKEN": secretValue}, Vars: map[string]string{"SITE": "https://example.com"},
		Platforms: map[string]string{"ubuntu-latest": "-self-hosted"}, GitHubInstance: "github.com", RemoteName: "origin", DefaultBranch: "main", Env: map[string]string{},
		ArtifactServerPath: "", ConcurrentJobs: 2,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), limit)
	defer stop()
	g := &gather{}
	err = r.NewPlanExecutor(plan)(runner.WithJobLoggerFactory(ctx, loggers{g}))
	out := outcome{Result: "success", Jobs: map[string]job{}}
	if err != nil {
		out.Result = "failure"
	}
	for _, stage := range plan.Stages {
		for _, run := range stage.Runs {
			j := job{Result: run.Job().Result, Outputs: maps.Clone(run.Job().Outputs)}
			g.into(run.JobID, &j, matrices[run.JobID])
			if j.Result == "skipped" || j.Result == "" {
				j.Outputs = nil // they are as they stand in the file
			}
			out.Jobs[run.JobID] = j
		}
	}
	return out
}

// program is ours, built once, or the one that REDUNDCTL names.
var program = sync.OnceValues(func() (string, error) {
	if p := os.Getenv("REDUNDCTL"); p != "" {
		return p, nil
	}
	dir, err := os.MkdirTemp("", "oracle-")
	if err != nil {
		return "", err
	}
	p := filepath.Join(dir, "redundctl")
	build := exec.Command("go", "build", "-o", p, "./cmd/redundctl")
	build.Dir = "../../../.."
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return p, nil
})

// TestMain removes the program again.
func TestMain(m *testing.M) {
	code := m.Run()
	if p, err := program(); err == nil && os.Getenv("REDUNDCTL") == "" {
		_ = os.RemoveAll(filepath.Dir(p))
	}
	os.Exit(code)
}

// pipelineText is the pipeline that runs the workflow.
const pipelineText = `version: 1
name: x
secrets: [TOKEN]
steps:
  - id: w
    uses: github/workflow
    with: {file: .github/workflows/x.yml, event: push}
`

// byOurs runs a workflow with redundctl.
func byOurs(t *testing.T, files map[string][]byte, matrices map[string]bool) outcome {
	t.Helper()
	own := maps.Clone(files)
	own["pipelines/github-actions/x.yaml"] = []byte(pipelineText)
	own["redund.yaml"] = []byte("version: 1\nvars: {SITE: https://example.com}\n")
	own[".gitignore"] = []byte(".redund\n")
	dir := repository(t, own)
	p, err := program()
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), limit)
	defer stop()
	cmd := exec.CommandContext(ctx, p, "-C", dir, "run", "x", "-o", "json")
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(kv string) bool { return strings.HasPrefix(kv, "REDUND") }), "TOKEN="+secretValue, "NO_COLOR=1")
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	said, _ := cmd.Output() // a workflow may fail
	var run struct {
		Steps []struct {
			Error   string
			Outputs struct {
				Result string
				Jobs   map[string]job
			}
		}
	}
	if err := json.Unmarshal(said, &run); err != nil || len(run.Steps) != 1 {
		t.Fatalf("redundctl run: %v\n%s\n%s", err, said, complaint.String())
	}
	log, err := os.ReadFile(filepath.Join(dir, ".redund", "logs", "github-actions.log"))
	if err != nil {
		t.Fatal(err)
	}
	g := &gather{}
	for line := range strings.Lines(string(log)) {
		_, rest, _ := strings.Cut(line, " | ") // of redundctl
		// Of the runner of workflows: job (matrix) / step | text. The name of a
		// step may hold anything.
		at := max(strings.LastIndex(rest, " | OUT "), strings.LastIndex(rest, " | STEPS "))
		if at < 0 {
			continue
		}
		name, _, _ := strings.Cut(rest[:at], " / ")
		name, _, _ = strings.Cut(name, " (")
		g.add(name, rest[at+len(" | "):])
	}
	out := outcome{Result: run.Steps[0].Outputs.Result, Jobs: run.Steps[0].Outputs.Jobs}
	if out.Result == "" {
		out.Result = "refused"
		t.Logf("ours: %s", run.Steps[0].Error)
	}
	for id, j := range out.Jobs {
		g.into(id, &j, matrices[id])
		out.Jobs[id] = j
	}
	return out
}

// TestWorkflows runs every case with both.
func TestWorkflows(t *testing.T) {
	list, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(list) < 25 {
		t.Fatalf("%d cases, %v", len(list), err)
	}
	for _, file := range list {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			files := map[string][]byte{}
			for _, f := range archive.Files {
				files[f.Name] = f.Data
			}
			known := string(files["act.txt"])
			delete(files, "act.txt")
			delete(files, "github.txt")
			var matrices map[string]bool
			files[workflow], matrices = instrument(t, files[workflow])
			act := byAct(t, files, matrices).text()
			ours := byOurs(t, files, matrices).text()
			compare(t, archive, ours, act, known)
		})
	}
}

// compare holds that both came to the same, or that act has its known fault and
// ours is as the case says.
func compare(t *testing.T, archive *txtar.Archive, ours, act, known string) {
	t.Helper()
	want := act
	if known != "" {
		if !strings.Contains(string(archive.Comment), "fault: ") {
			t.Error("the case has an act.txt and does not name the fault")
		}
		if act != known {
			t.Errorf("act no longer has the fault that the case shows, or shows another; act makes of it\n%s\nand the case says\n%s", act, known)
		}
		for _, f := range archive.Files {
			if f.Name == "github.txt" {
				want = string(f.Data)
			}
		}
		if want == act {
			t.Error("the case shows no fault: act.txt and github.txt are the same")
		}
	}
	if ours != want {
		t.Errorf("ours makes of it\n%s\nand it should be\n%s", ours, want)
	}
}

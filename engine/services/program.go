package services

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"github.com/redundctl/redundctl/engine/expr"
	"github.com/redundctl/redundctl/engine/force"
	"github.com/redundctl/redundctl/engine/loaded"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/probes"
	"github.com/redundctl/redundctl/engine/runner/environ"
	"github.com/redundctl/redundctl/engine/runner/eval"
	"github.com/redundctl/redundctl/engine/runner/outputs"
	"github.com/redundctl/redundctl/engine/runner/paths"
	"github.com/redundctl/redundctl/engine/secret"
	"github.com/redundctl/redundctl/engine/supervise"
	"github.com/redundctl/redundctl/engine/temp"
)

// memoryFor is how long the processes of a service may be above its memory-limit.
const memoryFor = 30 * time.Second

// instance is the variable that tells a process which of its service it is.
const instance = "REDUND_INSTANCE"

// program is a service with all that its processes see, after expressions.
type program struct {
	o       *Options
	set     *loaded.Set
	of      *pipeline.Pipeline
	bounds  func() pipeline.Bounds
	uses    string
	with    map[string]any // of the kind that runs it
	env     *environ.Environ
	view    *expr.Env
	dir     string
	masker  *secret.Masker
	secrets map[string]string
	several bool
}

// wanted makes what is to run of a part. The error says in one line, without
// secrets, why it cannot.
func (s *Services) wanted(f *force.Force, p *force.Part, bounds func() pipeline.Bounds) (supervise.Wanted, error) {
	x := p.Pipeline
	set := f.SetOf(p)
	known, err := probes.Secrets(set, x, s.o.Host)
	if err != nil {
		return supervise.Wanted{}, err
	}
	g := &program{o: &s.o, set: set, of: x, bounds: bounds, masker: probes.Masker(set, known), secrets: known, several: x.Service.Instances > 1}
	w := supervise.Wanted{ID: x.ID(), Form: p.Hash, Instances: x.Service.Instances, Restart: x.Service.Restart, Run: g.run}
	if err := g.evaluate(known); err != nil {
		return w, errors.New(line(g.masker, err))
	}
	if w.Sees, err = g.sees(); err != nil {
		return w, errors.New(line(g.masker, err))
	}
	if c := x.Service.CronRestart; c != "" {
		if w.Cron, err = s.zones.Parse(pipeline.Schedule{Cron: c, Timezone: "UTC", DST: pipeline.DST{Gap: "shift", Fold: "first"}}); err != nil {
			return w, err
		}
	}
	if w.Ready, err = g.watch(x.Service.Ready); err == nil {
		w.Liveness, err = g.watch(x.Service.Liveness)
	}
	return w, err
}

// evaluate gives everything its values.
func (g *program) evaluate(secrets map[string]string) error {
	x, root := g.of, g.set.Project.Root
	var err error
	g.view, g.env, err = probes.View(g.set, x, probes.Given{Secrets: secrets, Host: g.o.Host, Told: map[string]string{
		"REDUND_PIPELINE": x.Name, "REDUND_SYSTEM": x.System, "REDUND_RUN_ID": "", "REDUND_SLOT": "", "REDUNDANCY_MODE": "true",
	}})
	if err != nil {
		return err
	}
	g.dir = root
	if x.WorkingDirectory != "" {
		text, err := eval.Text(x.WorkingDirectory, g.view)
		if err != nil {
			return fmt.Errorf("working-directory: %w", err)
		}
		if g.dir = text; !filepath.IsAbs(text) {
			g.dir = filepath.Join(root, text)
		}
		if expr.HasExpr(x.WorkingDirectory) {
			if g.dir, err = paths.Inside(root, g.dir); err != nil {
				return fmt.Errorf("working-directory: %w", err)
			}
		}
	}
	if x.Service.Run != "" {
		text, err := eval.Text(x.Service.Run, g.view)
		g.uses, g.with = "run", map[string]any{"run": text, "shell": x.Service.Shell}
		return err
	}
	g.uses = "exec"
	argv := make([]any, len(x.Service.Exec))
	for i, a := range x.Service.Exec {
		text, err := eval.Text(a, g.view)
		if err != nil {
			return fmt.Errorf("exec: %w", err)
		}
		argv[i] = text
	}
	g.with = map[string]any{"exec": argv}
	return nil
}

// sees stands for all that its processes see.
func (g *program) sees() (string, error) {
	text, err := json.Marshal([]any{g.uses, g.with, g.env.Vars, g.dir})
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

// watch reads `ready` or `liveness`: a line of output to wait for, or the kind of
// step that asks, as the key names it.
func (g *program) watch(written map[string]any) (*supervise.Watch, error) {
	if len(written) == 0 {
		return nil, nil
	}
	out := &supervise.Watch{Every: span(written["every"]), Timeout: span(written["timeout"])}
	switch n := written["failures"].(type) {
	case int:
		out.Failures = n
	case int64:
		out.Failures = int(n)
	case float64:
		out.Failures = int(n)
	}
	if text, ok := written["log"].(string); ok {
		var err error
		out.Log, err = regexp.Compile(text)
		return out, err
	}
	uses, with := "http", written["http"]
	if argv, ok := written["exec"]; ok {
		uses, with = "exec", map[string]any{"exec": argv}
	}
	v, err := expr.EvalTree(with, g.view)
	if err != nil {
		return nil, errors.New(line(g.masker, err))
	}
	out.Ask = func(ctx context.Context, n int) error {
		with, _ := eval.Clone(v).(map[string]any)
		return g.do(ctx, uses, with, &pipeline.Scope{Env: g.environ(n), Out: io.Discard, Step: "watch"})
	}
	return out, nil
}

// span reads a length of time as the loader leaves it.
func span(v any) time.Duration {
	text, _ := v.(string)
	d, err := pipeline.ParseDuration(text)
	if err != nil {
		return 0
	}
	return d.Std()
}

func (g *program) environ(n int) []string {
	return g.env.With(map[string]string{instance: strconv.Itoa(n)}).Vars
}

// run runs one process to its end.
func (g *program) run(ctx context.Context, p supervise.Process) error {
	name := "service"
	if g.several {
		name = fmt.Sprintf("service.%d", p.Instance)
	}
	stream := g.o.Logs.Writer(g.of.System).Run(0, g.of.ID())
	shown := &outputs.Shown{Open: stream.Step, Name: name, Masker: g.masker}
	defer func() { _ = shown.Close() }() // health tells of a log that cannot be written
	scope := &pipeline.Scope{
		Env: g.environ(p.Instance), Step: name, Out: shown,
		Kept: &pipeline.Kept{Started: p.Started, Bounds: g.bounds},
	}
	if p.Output != nil {
		scope.Out = io.MultiWriter(shown, p.Output)
	}
	return g.do(ctx, g.uses, eval.Clone(g.with).(map[string]any), scope)
}

// do does what a kind of step does, with a directory of its own. The error holds
// no secret.
func (g *program) do(ctx context.Context, uses string, with map[string]any, s *pipeline.Scope) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("a mistake in redundctl: %v", p)
		}
		if exit := new(pipeline.Exit); err != nil && !errors.As(err, &exit) {
			err = errors.New(line(g.masker, err))
		}
	}()
	action, err := g.set.Builder(g.secrets)(uses, with)
	if err != nil {
		return err
	}
	if s.Temp, err = os.MkdirTemp(g.o.Temp, "service-"); err != nil {
		return fmt.Errorf("the directory of the service cannot be made: %w", err)
	}
	defer func() {
		if err := temp.Remove(s.Temp); err != nil {
			g.o.Log.Warn("the directory of a service could not be removed", "pipeline", g.of.ID(), "error", err)
		}
	}()
	project := g.set.Project
	s.Root, s.Dir, s.State, s.Protected = project.Root, g.dir, project.State, project.Protected()
	s.Attempt, s.Mask = 1, g.masker.Mask
	s.Run = pipeline.RunInfo{Pipeline: g.of.Name, System: g.of.System, Attempt: 1}
	s.Inside = func(path string) (string, error) { return paths.Inside(project.Root, path) }
	s.Secret = func(string) (string, bool) { return "", false } // no kind that a service may be asks
	s.Call = func(context.Context, string, map[string]any) (pipeline.Called, error) {
		return pipeline.Called{}, errors.New("a service runs no pipeline")
	}
	s.PlanCall = func(context.Context, string, map[string]any) ([]pipeline.Effect, error) { return nil, nil }
	_, err = action.Run(ctx, s)
	return err
}

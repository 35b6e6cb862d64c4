package runner

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/redundctl/redundctl/engine/expr"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/runner/environ"
	"github.com/redundctl/redundctl/engine/runner/eval"
	"github.com/redundctl/redundctl/engine/runner/matrix"
	"github.com/redundctl/redundctl/engine/runner/outputs"
	"github.com/redundctl/redundctl/engine/runner/paths"
)

// unit is one step, or one combination of its matrix: that which has a record
// of its own, and is tried as often as its retry says.
type unit struct {
	*task
	ctx    context.Context
	holds  bool
	combo  *matrix.Combination
	step   *pipeline.Step   // the task's, with what its combination settles
	full   *environ.Environ // the environment, complete
	where  string           // the working directory
	with   map[string]any
	sees   *expr.Env // nil when the step holds no expression
	secret map[string]string

	rec pipeline.StepRecord
}

// verdict is how an attempt, or all of them, went.
type verdict struct {
	state  pipeline.State
	err    string // one line, masked
	exit   *int
	signal string
	again  time.Duration // the least delay before another attempt
	final  bool          // another attempt would say the same
}

func newUnit(t *task, c *matrix.Combination, n int) *unit {
	u := &unit{task: t, ctx: t.ctx, holds: t.holds, combo: c, step: t.step}
	u.rec = pipeline.StepRecord{Run: t.run.job.Run.ID, Index: t.index + n, ID: t.id, Uses: uses(t.step)}
	if u.rec.Uses == actionKind {
		u.rec.Uses = t.step.Uses
	}
	if c != nil {
		u.rec.Matrix = t.run.mask(c.Label)
	}
	return u
}

// do brings the unit to its end and records it.
func (u *unit) do(ctx context.Context) ending {
	u.ctx = ctx
	if u.combo != nil && u.place.index != nil {
		if end, ok := u.recalled(); ok {
			return end
		}
	}
	if u.run.width != nil && !u.holds && uses(u.step) != actionKind {
		select {
		case u.run.width <- struct{}{}:
			u.holds = true
		case <-ctx.Done():
		}
	}
	if u.holds {
		defer func() { <-u.run.width }()
	}
	if ctx.Err() != nil {
		return u.end(u.stopped(""), pipeline.Outputs{})
	}
	if u.each != nil {
		run, err := u.judge(u.each, u.combo.Values)
		switch {
		case err != nil:
			return u.end(verdict{state: pipeline.Failed, err: u.run.line("if: " + err.Error())}, pipeline.Outputs{})
		case !run && u.reason != "":
			return u.end(verdict{state: pipeline.Skipped, err: u.reason}, pipeline.Outputs{})
		case !run:
			return u.end(verdict{state: pipeline.Skipped, err: "its if is false"}, pipeline.Outputs{})
		}
	}
	if err := u.prepare(); err != nil {
		return u.end(verdict{state: pipeline.Failed, err: u.run.line(err.Error())}, pipeline.Outputs{})
	}
	u.rec.State, u.rec.Started, u.rec.Attempts = pipeline.Running, time.Now(), 1
	if u.place.index != nil {
		rec := u.rec
		if err := u.run.rec.StartStep(ctx, &rec); err != nil {
			return u.end(verdict{state: pipeline.Failed, err: u.run.line("not started, because that could not be recorded: " + err.Error())}, pipeline.Outputs{})
		}
	}
	out, v := u.attempts()
	return u.end(v, out)
}

// prepare evaluates all that the step gives its action.
func (u *unit) prepare() error {
	s, env := u.step, u.env.With(u.wrote)
	own, dir := s.Env, s.WorkingDirectory
	if u.reads.Some {
		var values map[string]any
		if u.combo != nil {
			values = u.combo.Values
		}
		u.sees = u.view(values, env.Shown)
		var err error
		if own, err = eval.Map(s.Env, u.sees); err != nil {
			return err
		}
	}
	u.full = env.With(own)
	if u.sees != nil {
		u.sees.Contexts["env"] = u.full.Shown
		var err error
		if dir, err = eval.Text(s.WorkingDirectory, u.sees); err != nil {
			return within("working-directory", err)
		}
		u.secret = u.given()
	}
	var err error
	if u.where, err = u.directory(dir, expr.HasExpr(s.WorkingDirectory)); err != nil {
		return within("working-directory", err)
	}
	if u.step, err = eval.Settled(s, u.sees); err != nil {
		return err
	}
	u.with, err = u.values()
	return err
}

// values are what the action is built from, after their expressions.
func (u *unit) values() (map[string]any, error) {
	s := u.step
	switch uses(s) {
	case "run":
		text, err := u.text(s.Run)
		if err != nil {
			return nil, within("run", err)
		}
		return map[string]any{"run": text, "shell": s.Shell}, nil
	case "exec":
		argv := make([]any, len(s.Exec))
		for i, a := range s.Exec {
			text, err := u.text(a)
			if err != nil {
				return nil, within("exec", err)
			}
			argv[i] = text
		}
		return map[string]any{"exec": argv}, nil
	}
	if u.sees == nil || len(s.With) == 0 {
		return s.With, nil
	}
	v, err := expr.EvalTree(s.With, u.sees)
	if err != nil {
		return nil, within("with", err)
	}
	with, _ := v.(map[string]any)
	return with, nil
}

func (u *unit) text(s string) (string, error) {
	if u.sees == nil {
		return s, nil
	}
	return eval.Text(s, u.sees)
}

// given are the secrets that the step's `with` and `env` read.
func (u *unit) given() map[string]string {
	if !u.reads.AllSecrets && len(u.reads.Secrets) == 0 {
		return nil
	}
	out := map[string]string{}
	for _, name := range u.run.job.Pipeline.Secrets {
		if u.reads.AllSecrets || u.reads.Secrets[strings.ToLower(name)] {
			out[name] = u.run.job.Secrets[name]
		}
	}
	return out
}

// directory is the working directory that a step names.
func (u *unit) directory(dir string, built bool) (string, error) {
	if dir == "" {
		return u.dir, nil
	}
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(u.dir, dir)
	}
	if built {
		return paths.Inside(u.run.job.Root, dir)
	}
	return filepath.Clean(dir), nil
}

// end records how the unit ended; only then anyone is told.
func (u *unit) end(v verdict, out pipeline.Outputs) ending {
	e := ending{state: v.state, err: v.err, exit: v.exit, env: out.Env}
	var cut bool
	e.outputs, cut = outputs.Limit(out.Values)
	e.continued = u.step.ContinueOnError && (v.state == pipeline.Failed || v.state == pipeline.TimedOut)
	if u.place.index == nil || v.state == pipeline.Cancelled && left(u.ctx) {
		return e
	}
	rec := &u.rec
	rec.Env = outputs.Env(u.run.job.Masker, e.env)
	rec.State, rec.Error, rec.ExitCode, rec.Signal, rec.Continued = v.state, v.err, v.exit, v.signal, e.continued
	rec.Outputs, rec.Truncated = outputs.Record(u.run.job.Masker, e.outputs), out.Truncated || cut
	rec.Finished = time.Now()
	u.run.cut(v.state)
	e.held = v.state == pipeline.Succeeded && u.combo == nil && u.run.job.Flush != nil && u.soon.Load()
	if err := u.run.rec.EndStep(context.WithoutCancel(u.ctx), rec, e.held); err != nil {
		if rec.State == pipeline.Succeeded {
			rec.State, rec.Error = pipeline.Failed, u.run.line("it succeeded, but that could not be recorded: "+err.Error())
			e.state, e.err = rec.State, rec.Error
		}
		u.run.event("record", "step "+u.name()+": its end could not be recorded: "+err.Error())
	}
	u.run.keep(rec)
	return e
}

// stopped is the verdict over a unit whose context has ended.
func (u *unit) stopped(what string) verdict {
	v := verdict{state: pipeline.Cancelled, err: "cancelled", final: true}
	cause := context.Cause(u.ctx)
	switch {
	case errors.Is(cause, errSibling):
		v.err = "cancelled: another combination failed"
	case outOfTime(u.ctx):
		v.err = "cancelled: " + cause.Error()
	}
	if what != "" {
		v.err += ": " + what
	}
	return v
}

// name is how people find the unit in output and events.
func (u *unit) name() string {
	if u.rec.Matrix == "" {
		return u.prefix + u.id
	}
	return u.prefix + u.id + " (" + u.rec.Matrix + ")"
}

func within(key string, err error) error { return fmt.Errorf("%s: %w", key, err) }

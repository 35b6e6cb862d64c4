package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/runner/eval"
	"github.com/redundctl/redundctl/engine/runner/outputs"
	"github.com/redundctl/redundctl/engine/runner/paths"
	"github.com/redundctl/redundctl/engine/runner/retry"
)

// attempts tries the unit until it succeeds or no attempt is left.
func (u *unit) attempts() (pipeline.Outputs, verdict) {
	most := max(u.step.Retry.Attempts, 1)
	var delay func() time.Duration
	for n := 1; ; n++ {
		if n > 1 {
			u.rec.Attempts = n
		}
		out, v := u.attempt(n)
		again := v.state.Bad() && !v.final && n < most
		if most > 1 {
			u.tell(n, most, v)
		}
		if !again {
			return out, v
		}
		if delay == nil {
			delay = retry.Delays(u.step.Retry)
		}
		wait := max(delay(), v.again)
		u.run.event("retry", fmt.Sprintf("step %s: attempt %d of %d in %s", u.name(), n+1, most, wait))
		if !retry.Wait(u.ctx, wait) {
			return out, u.stopped(fmt.Sprintf("while it waited for attempt %d, after: %s", n+1, v.err))
		}
	}
}

// tell makes each attempt of a step with several visible.
func (u *unit) tell(n, most int, v verdict) {
	how := string(v.state)
	if v.err != "" {
		how += ": " + v.err
	}
	u.run.event("attempt", fmt.Sprintf("step %s: attempt %d of %d %s", u.name(), n, most, how))
}

// attempt tries the unit once.
func (u *unit) attempt(n int) (pipeline.Outputs, verdict) {
	action, err := u.action()
	if err != nil {
		return pipeline.Outputs{}, verdict{state: pipeline.Failed, err: u.run.line(err.Error()), final: true}
	}
	ctx, limit := u.ctx, u.step.Timeout.Std()
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, limit, fmt.Errorf("step %s is out of time: %w", u.id, context.DeadlineExceeded))
		defer cancel()
	}
	shown := &outputs.Shown{Open: u.run.job.Open, Name: u.name(), Masker: u.run.job.Masker}
	out, err := safely(ctx, action, u.scope(n, shown))
	if err := shown.Close(); err != nil {
		u.run.event("record", "step "+u.name()+": its output could not be kept: "+err.Error())
	}
	return out, u.judgeEnd(ctx, err)
}

// safely runs an action; a panic fails its step and nothing else.
func safely(ctx context.Context, a pipeline.Action, s *pipeline.Scope) (out pipeline.Outputs, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("a mistake in redundctl: %v", p)
		}
	}()
	return a.Run(ctx, s)
}

// judgeEnd turns the error of an attempt into how it ended.
func (u *unit) judgeEnd(ctx context.Context, err error) verdict {
	v := verdict{state: pipeline.Succeeded}
	if err == nil {
		if k := u.rec.Uses; k == "run" || k == "exec" {
			v.exit = new(int)
		}
		return v
	}
	var skip *pipeline.Skip
	if errors.As(err, &skip) {
		return verdict{state: pipeline.Skipped, err: u.run.line(skip.Reason)}
	}
	var exit *pipeline.Exit
	if errors.As(err, &exit) {
		if exit.Signal == "" {
			v.exit = &exit.Code
		}
		v.signal = exit.Signal
		if exit.Signal == "" && (exit.Code == 0 || slices.Contains(u.step.SuccessCodes, exit.Code)) {
			return v
		}
	}
	var later *pipeline.Later
	if errors.As(err, &later) {
		v.again = later.After
	}
	switch {
	case u.ctx.Err() != nil:
		s := u.stopped("")
		v.state, v.err, v.final = s.state, s.err, true
	case ctx.Err() != nil:
		v.state, v.err = pipeline.TimedOut, "timed out after "+u.step.Timeout.String()
	default:
		v.state, v.err = pipeline.Failed, u.run.line(err.Error())
	}
	return v
}

// action makes what does the work of one attempt. It gets values of its own,
// which it may change.
func (u *unit) action() (pipeline.Action, error) {
	if uses(u.step) == actionKind {
		return u.file()
	}
	if u.run.job.Build == nil {
		return nil, fmt.Errorf("nothing can run %s", u.rec.Uses)
	}
	with, _ := eval.Clone(u.with).(map[string]any)
	if with == nil {
		with = map[string]any{}
	}
	return u.run.job.Build(uses(u.step), with)
}

// scope is what the attempt is given to work in.
func (u *unit) scope(n int, out io.Writer) *pipeline.Scope {
	j := &u.run.job
	return &pipeline.Scope{
		Root: j.Root, Dir: u.where, State: j.State, Temp: j.Temp, Protected: j.Protected,
		Env: u.full.Vars, Secrets: u.secret, Secret: eval.Declared(j.Pipeline, j.Secrets), Vars: j.Vars,
		Step: u.id, Matrix: u.rec.Matrix, Attempt: n, Run: u.run.info,
		SuccessCodes: u.step.SuccessCodes, MemoryLimit: u.step.MemoryLimit,
		Out: out, Mask: u.run.mask, Inside: u.inside,
		Call: u.run.call, PlanCall: u.run.planCall,
	}
}

// inside is Scope.Inside: a path that stands so in the file is the author's
// own word; any other may have been built by an expression.
func (u *unit) inside(path string) (string, error) {
	abs := path
	if !filepath.IsAbs(abs) {
		abs = filepath.Join(u.where, abs)
	}
	if u.sees == nil || eval.Written(u.step.With, path) {
		return filepath.Clean(abs), nil
	}
	return paths.Inside(u.run.job.Root, abs)
}

// line is a text as one line without secrets, fit for a record.
func (r *run) line(s string) string {
	s = strings.Join(strings.Fields(r.mask(s)), " ")
	if len(s) > lineLimit {
		s = strings.ToValidUTF8(s[:lineLimit], "") + "…"
	}
	return s
}

const lineLimit = 1000

package jobs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/redundctl/redundctl/engine/kind/github/jobs/eval"
	"github.com/redundctl/redundctl/engine/kind/github/jobs/order"
	"github.com/redundctl/redundctl/engine/kind/github/jobs/shells"
	"github.com/redundctl/redundctl/engine/kind/github/workflow"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/proc"
)

// script runs the text of a step.
func (x *work) script(ctx context.Context) error {
	code, err := eval.Text(x.spec.Run, x.file, x.view)
	if err != nil {
		return err
	}
	given, where := x.spec.Shell, x.spec.Dir
	if x.depth == 0 && given.Value == "" {
		given = x.job.shell
	}
	if x.depth == 0 && where.Value == "" {
		where = x.job.dir
	}
	name, err := eval.Text(given, x.file, x.view)
	if err != nil {
		return err
	}
	dir, err := eval.Text(where, x.file, x.view)
	if err != nil {
		return err
	}
	root := x.job.flow.run.Scope.Dir
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(root, dir)
	}
	vars := x.job.environment(x)
	sh, err := shells.Of(name, func(p string) bool { return onPath(p, vars.Get("PATH")) })
	if err != nil {
		return err
	}
	path := x.job.next("script" + sh.Extension)
	if err := shells.Write(path, sh.Wrap(code), sh.Itself()); err != nil {
		return fmt.Errorf("the script cannot be written: %w", err)
	}
	defer os.Remove(path)
	return x.start(ctx, started{argv: sh.Command(path), dir: dir, env: vars})
}

func onPath(program, path string) bool {
	for _, dir := range filepath.SplitList(path) {
		if filepath.IsAbs(dir) && unix.Access(filepath.Join(dir, program), unix.X_OK) == nil {
			return true
		}
	}
	return false
}

// next is a name for a file of the job.
func (j *job) next(suffix string) string {
	j.files++
	return j.temp + "/" + strconv.Itoa(j.files) + "-" + suffix
}

// environment are the variables of a step, complete but for its files.
func (j *job) environment(x *work) order.Environment {
	r := j.flow.run
	out := make(order.Environment, 0, len(r.Base)+len(x.env)+16)
	out = append(out, r.Base...)
	// GitHub's own are not to be set by others.
	for k, v := range x.env {
		if !strings.HasPrefix(k, "GITHUB_") && !strings.HasPrefix(k, "RUNNER_") || strings.EqualFold(k, workflow.TokenName) {
			out = append(out, k+"="+v)
		}
	}
	out = append(out, "GITHUB_JOB="+j.spec.ID, "GITHUB_ACTION="+x.id, "RUNNER_TEMP="+j.temp+"/temp")
	if x.action != "" {
		out = append(out, "GITHUB_ACTION_PATH="+x.action)
	}
	if len(j.path) > 0 {
		out = append(out, "PATH="+strings.Join(append(slices.Clone(j.path), out.Get("PATH")), string(filepath.ListSeparator)))
	}
	return out
}

// started is a program of a step.
type started struct {
	argv []string
	dir  string
	env  order.Environment
}

// handed are the files in which a step hands on.
var handed = [...]string{"OUTPUT", "ENV", "PATH", "STATE", "STEP_SUMMARY"}

// start runs a program of the step and reads what it handed on.
func (x *work) start(ctx context.Context, p started) error {
	j := x.job
	spawner := j.flow.run.tools.Deps.Proc
	if spawner == nil {
		return errors.New("nothing can be started here")
	}
	var paths [len(handed)]string
	for i, name := range handed {
		paths[i] = j.next(strings.ToLower(name))
		if err := shells.Write(paths[i], "", false); err != nil {
			return fmt.Errorf("a file of the step cannot be made: %w", err)
		}
		defer os.Remove(paths[i])
		p.env = append(p.env, "GITHUB_"+name+"="+paths[i])
	}
	result, err := spawner.Run(ctx, proc.Command{Argv: p.argv, Env: p.env, Dir: p.dir, Out: x.out, Left: &j.left, MemoryLimit: int64(j.flow.run.Scope.MemoryLimit)})
	x.out.Flush()
	if err != nil {
		return err
	}
	took := x.take(paths)
	switch {
	case result.OverMemory:
		return fmt.Errorf("its processes used more than memory-limit, %s", j.flow.run.Scope.MemoryLimit)
	case result.Killed && result.Signal == "":
		return context.Cause(ctx)
	case result.Code != 0 || result.Signal != "":
		e := &pipeline.Exit{Code: result.Code, Signal: result.Signal}
		if result.Code == 127 {
			e.Reason = "most often a command that is not installed or not in PATH"
		}
		return errors.New(e.Error())
	}
	return took
}

// take reads what the step handed on, in the order of handed.
func (x *work) take(paths [len(handed)]string) error {
	out, _, err := shells.Read(paths[0], nil)
	if err != nil {
		return fmt.Errorf("GITHUB_OUTPUT: %w", err)
	}
	for k, v := range out {
		x.outputs[k] = v
	}
	vars, cut, err := shells.Read(paths[1], shells.Refuse)
	if err != nil {
		return fmt.Errorf("GITHUB_ENV: %w", err)
	}
	if cut {
		return errors.New("GITHUB_ENV: a value is over 1 MiB, or all together are over 4 MiB")
	}
	for k, v := range vars {
		x.job.env[k] = v
	}
	if b := shells.Content(paths[2]); b != "" {
		for _, l := range strings.Split(b, "\n") {
			if l = strings.TrimSpace(l); l != "" {
				x.job.path = append([]string{l}, x.job.path...)
			}
		}
	}
	state, _, err := shells.Read(paths[3], nil)
	if err != nil {
		return fmt.Errorf("GITHUB_STATE: %w", err)
	}
	for k, v := range state {
		x.state[k] = v
	}
	x.summary(shells.Content(paths[4]))
	return nil
}

// summary adds to the summary of the run, which stays with its artifacts.
func (x *work) summary(text string) {
	r := x.job.flow.run
	dir := order.Environment(r.Scope.Env).Get("REDUND_ARTIFACTS")
	if text == "" || dir == "" || x.job.secretive(text) {
		return
	}
	r.out.Alone(func() { // several jobs may have something to say
		if os.MkdirAll(dir, 0o700) != nil {
			return
		}
		f, err := os.OpenFile(filepath.Join(dir, "summary.md"), os.O_APPEND|os.O_CREATE|os.O_WRONLY|unix.O_NOFOLLOW, 0o600)
		if err != nil {
			return
		}
		defer f.Close()
		_, _ = f.WriteString(strings.TrimRight(text, "\n") + "\n")
	})
}

// Package shell runs what the user wrote: `run:`, a script in a shell, `exec:`,
// a program without one, and the primary kind `command`, a script that tells
// how a primary does (probe.go).
package shell

import (
	"context"
	_ "embed" // the schema fragments
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/proc"
)

//go:embed run.json
var runFragment []byte

//go:embed exec.json
var execFragment []byte

//go:embed primary.json
var primaryFragment []byte

// Kinds are `run` and `exec`, as the runner names steps with these keys.
func Kinds() []kind.Action {
	found := &finder{}
	files := &files{}
	kinds := []kind.Action{
		kind.Define("run", runFragment, func(w script, d kind.Deps) (pipeline.Action, error) {
			w.found, w.start = found, starter{d.Proc, files}
			return &w, nil
		}),
		kind.Define("exec", execFragment, func(w program, d kind.Deps) (pipeline.Action, error) {
			if len(w.Exec) == 0 || w.Exec[0] == "" {
				return nil, errors.New("exec: the program is empty")
			}
			w.start = starter{d.Proc, files}
			return &w, nil
		}),
	}
	for i := range kinds {
		kinds[i].Key = true
	}
	return kinds
}

// Primary is the primary kind `command`.
func Primary() kind.Primary {
	found := &finder{}
	return kind.Primary{Name: "command", Fragment: primaryFragment, Build: func(with map[string]any, d kind.PrimaryDeps) (pipeline.Probe, error) {
		return buildProbe(with, d, found)
	}}
}

// script is a step with `run`.
type script struct {
	Text  string `json:"run"`
	Shell string `json:"shell"`
	found *finder
	start starter
}

// Run writes the script into a file and runs its shell.
func (a *script) Run(ctx context.Context, s *pipeline.Scope) (pipeline.Outputs, error) {
	sh, err := a.found.shell(a.Shell, s.Env)
	if err != nil {
		return pipeline.Outputs{}, err
	}
	x := file{dir: s.Temp, prefix: "script-", extension: sh.extension, text: sh.wrap(a.Text), program: strings.HasPrefix(sh.template[0], placeholder)}
	if err := a.start.files.take(&x); err != nil {
		return pipeline.Outputs{}, err
	}
	defer a.start.files.give(&x)
	return a.start.run(ctx, s, proc.Command{Argv: sh.argv(x.path), Path: sh.path})
}

// Plan shows the script as it would be run.
func (a *script) Plan(_ context.Context, s *pipeline.Scope) ([]pipeline.Effect, error) {
	sh, err := a.found.shell(a.Shell, s.Env)
	if err != nil {
		return nil, err
	}
	text := strings.TrimRight(s.Mask(a.Text), "\n")
	effects := []pipeline.Effect{pipeline.Effect("runs this script with " + sh.String() + ":")}
	for line := range strings.SplitSeq(text, "\n") {
		effects = append(effects, pipeline.Effect("  "+line))
	}
	return effects, nil
}

// program is a step with `exec`.
type program struct {
	Exec  []string `json:"exec"`
	start starter
}

// Run runs the program.
func (a *program) Run(ctx context.Context, s *pipeline.Scope) (pipeline.Outputs, error) {
	return a.start.run(ctx, s, proc.Command{Argv: a.Exec})
}

// Plan shows the arguments.
func (a *program) Plan(_ context.Context, s *pipeline.Scope) ([]pipeline.Effect, error) {
	words := make([]string, len(a.Exec))
	for i, w := range a.Exec {
		words[i] = quote(s.Mask(w))
	}
	return []pipeline.Effect{pipeline.Effect("runs " + strings.Join(words, " "))}, nil
}

// quote writes an argument as one could type it into a shell.
func quote(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./=:@%+,*", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// starter starts what steps are.
type starter struct {
	proc  *proc.Spawner
	files *files
}

// run runs a program as the work of a step and reads back what it handed on.
func (r starter) run(ctx context.Context, s *pipeline.Scope, c proc.Command) (out pipeline.Outputs, err error) {
	output, env := file{dir: s.Temp, prefix: handed}, file{dir: s.Temp, prefix: handed}
	for _, x := range []*file{&output, &env} {
		if err := r.files.take(x); err != nil {
			return out, err
		}
		defer r.files.give(x)
	}
	c.Env = append(s.Env[:len(s.Env):len(s.Env)], "REDUND_OUTPUT="+output.path, "REDUND_ENV="+env.path)
	c.Dir, c.Out, c.MemoryLimit = s.Dir, s.Out, int64(s.MemoryLimit)
	if c.Out == nil {
		c.Out = io.Discard
	}
	if k := s.Kept; k != nil {
		c.Started = func(pid int, _ uint64) { k.Started(pid) }
		c.Bounds = func() proc.Bounds {
			b := k.Bounds()
			return proc.Bounds{Signal: unix.SignalNum(b.Signal), Grace: b.Grace, MemoryLimit: int64(b.MemoryLimit), MemoryFor: b.MemoryFor}
		}
	}
	result, err := r.proc.Run(ctx, c)
	if err != nil {
		return out, err
	}
	out, readErr := handedOn(&output, &env)
	if err := judge(ctx, s, result); err != nil {
		return out, because(err, out)
	}
	return out, readErr
}

// because puts into an exit code's reason what the program itself gave as one: its
// output `error`.
func because(err error, out pipeline.Outputs) error {
	var e *pipeline.Exit
	said, ok := out.Values["error"].(string)
	if !ok || strings.TrimSpace(said) == "" || !errors.As(err, &e) || e.Code <= 0 || e.Signal != "" {
		return err
	}
	e.Reason = strings.TrimSpace(said)
	return err
}

// judge tells how a program ended. Codes that count as success beside 0 are
// the runner's to know: it wants them recorded.
func judge(ctx context.Context, s *pipeline.Scope, r proc.Result) error {
	e := &pipeline.Exit{Code: r.Code, Signal: r.Signal}
	switch {
	case r.OverMemory:
		e.Code, e.OverMemory, e.Reason = -1, true, fmt.Sprintf("its processes used more than memory-limit, %s", s.MemoryLimit)
		if s.Kept != nil {
			b := s.Kept.Bounds()
			e.Reason = fmt.Sprintf("its processes used more than memory-limit, %s, for %s", b.MemoryLimit, b.MemoryFor)
		}
		if e.Signal == "" {
			e.Signal = "SIGKILL"
		}
		return e
	case r.Killed && r.Signal == "":
		// It obeyed, perhaps with exit code 0: a success it is not.
		return context.Cause(ctx)
	case r.Code == 0 && r.Signal == "":
		return nil
	case r.Code == 127 && r.Signal == "":
		e.Reason = "most often a command that is not installed or not in PATH"
	case r.Code == 126 && r.Signal == "":
		e.Reason = "most often a command that is not executable"
	}
	return e
}

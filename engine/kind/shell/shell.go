// Package shell runs what the user wrote: `run:`, a script in a shell, and
// `exec:`, a program without one; and it has the shape of the primary kind
// `command`.
package shell

import (
	"context"
	_ "embed" // the schema fragments
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

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
	kinds := []kind.Action{
		kind.Define("run", runFragment, func(w script, d kind.Deps) (pipeline.Action, error) {
			w.proc, w.found = d.Proc, found
			return &w, nil
		}),
		kind.Define("exec", execFragment, func(w program, d kind.Deps) (pipeline.Action, error) {
			if len(w.Exec) == 0 || w.Exec[0] == "" {
				return nil, errors.New("exec: the program is empty")
			}
			w.proc = d.Proc
			return &w, nil
		}),
	}
	for i := range kinds {
		kinds[i].Key = true
	}
	return kinds
}

// Primary is the primary kind `command`.
func Primary() kind.Primary { return kind.Primary{Name: "command", Fragment: primaryFragment} }

// script is a step with `run`.
type script struct {
	Text  string `json:"run"`
	Shell string `json:"shell"`
	proc  *proc.Spawner
	found *finder
}

// Run writes the script into a file and runs its shell.
func (a *script) Run(ctx context.Context, s *pipeline.Scope) (pipeline.Outputs, error) {
	sh, err := a.found.shell(a.Shell, s.Env)
	if err != nil {
		return pipeline.Outputs{}, err
	}
	mode := os.FileMode(0o600)
	if strings.HasPrefix(sh.template[0], placeholder) {
		mode = 0o700 // it is started itself
	}
	file, err := create(s.Temp, "script-*"+sh.extension, sh.wrap(a.Text), mode)
	if err != nil {
		return pipeline.Outputs{}, err
	}
	defer os.Remove(file)
	return start(ctx, a.proc, s, proc.Command{Argv: sh.argv(file), Path: sh.path})
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
	Exec []string `json:"exec"`
	proc *proc.Spawner
}

// Run runs the program.
func (a *program) Run(ctx context.Context, s *pipeline.Scope) (pipeline.Outputs, error) {
	return start(ctx, a.proc, s, proc.Command{Argv: a.Exec})
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

// start runs a program as the work of a step and reads back what it handed on.
func start(ctx context.Context, p *proc.Spawner, s *pipeline.Scope, c proc.Command) (out pipeline.Outputs, err error) {
	output, err := create(s.Temp, "output-*", "", 0o600)
	if err != nil {
		return out, err
	}
	defer os.Remove(output)
	env, err := create(s.Temp, "env-*", "", 0o600)
	if err != nil {
		return out, err
	}
	defer os.Remove(env)
	c.Env = append(s.Env[:len(s.Env):len(s.Env)], "REDUND_OUTPUT="+output, "REDUND_ENV="+env)
	c.Dir, c.Out, c.MemoryLimit = s.Dir, s.Out, int64(s.MemoryLimit)
	if c.Out == nil {
		c.Out = io.Discard
	}
	r, err := p.Run(ctx, c)
	if err != nil {
		return out, err
	}
	out, readErr := handedOn(output, env)
	if err := judge(ctx, s, r); err != nil {
		return out, err
	}
	return out, readErr
}

// judge tells how a program ended. Codes that count as success beside 0 are
// the runner's to know: it wants them recorded.
func judge(ctx context.Context, s *pipeline.Scope, r proc.Result) error {
	e := &pipeline.Exit{Code: r.Code, Signal: r.Signal}
	switch {
	case r.OverMemory:
		e.Code, e.Reason = -1, fmt.Sprintf("its processes used more than memory-limit, %s", s.MemoryLimit)
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

// create makes a file that only we may read. Its name is new, so it cannot be
// one that was laid for us. It does without os.File, which would ask the
// poller about each: a step has three of them. No process is forked meanwhile:
// it would hold the file open for writing until it starts its program, and a
// script that is open for writing cannot be started ("text file busy").
func create(dir, pattern, text string, mode os.FileMode) (string, error) {
	if dir == "" {
		return "", errors.New("the step has no directory for its files")
	}
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	name := filepath.Join(dir, strings.Replace(pattern, "*", strconv.FormatUint(rand.Uint64(), 36), 1))
	fd, err := unix.Open(name, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW, uint32(mode.Perm()))
	if err != nil {
		return "", &os.PathError{Op: "open", Path: name, Err: err}
	}
	for rest := []byte(text); len(rest) > 0 && err == nil; {
		var n int
		if n, err = unix.Write(fd, rest); errors.Is(err, unix.EINTR) {
			err = nil
		}
		rest = rest[max(n, 0):]
	}
	if e := unix.Close(fd); err == nil {
		err = e
	}
	if err != nil {
		os.Remove(name)
		return "", &os.PathError{Op: "write", Path: name, Err: err}
	}
	return name, nil
}

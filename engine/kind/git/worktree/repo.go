// Package worktree runs git on one work tree: it reads its state, talks to its
// remote, and changes work tree, index and HEAD whole or not at all.
//
// A reader starts with repo.go (how git is run), then move.go.
package worktree

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/redundctl/redundctl/engine/proc"
)

// Options say which repository is meant and how git is run in it.
type Options struct {
	Dir  string        // the top of the work tree, absolute
	Proc *proc.Spawner // starts git
	Env  []string      // KEY=VALUE; of GIT_* only what has to do with people and transport is kept
	// Protected are absolute paths that are never cleaned, saved or shown.
	Protected []string
	Mask      func(string) string // hides secrets in messages; nil: nothing more than credentials in URLs
	Out       io.Writer           // is told what is done, line by line; nil: nobody
	Now       func() time.Time    // nil: time.Now
}

// Repo is one work tree with its repository. It is used by one goroutine.
type Repo struct {
	Options
	Top      string // of the work tree
	GitDir   string // of this work tree
	common   string // shared by all work trees
	Objects  string // "sha1" or "sha256"
	Shallow  bool
	Config   config
	Shielded []string // relative to top
}

// Open finds the repository whose work tree has its top at o.Dir. It changes
// nothing.
func Open(ctx context.Context, o Options) (*Repo, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Mask == nil {
		o.Mask = func(s string) string { return s }
	}
	if o.Out == nil {
		o.Out = io.Discard
	}
	r := &Repo{Options: o, Top: o.Dir}
	r.Env = environment(o.Env)
	if st, err := os.Stat(o.Dir); err != nil || !st.IsDir() {
		return nil, fmt.Errorf("there is no folder %s", o.Dir)
	}
	// In a bare repository the last question fails; what came before it was
	// answered.
	out, err := r.Git(ctx, Call{Args: []string{"rev-parse", "--is-bare-repository", "--absolute-git-dir", "--git-common-dir",
		"--show-object-format", "--is-shallow-repository", "--show-toplevel"}})
	line := strings.Split(string(out), "\n")
	if len(line) > 0 && line[0] == "true" {
		return nil, fmt.Errorf("%s is a bare repository: it has no work tree that could be synced or saved", o.Dir)
	}
	if err != nil {
		return nil, openError(o.Dir, err)
	}
	if len(line) < 6 {
		return nil, fmt.Errorf("git rev-parse in %s gave %d lines", o.Dir, len(line))
	}
	r.GitDir, r.common, r.Objects, r.Shallow = line[1], line[2], line[3], line[4] == "true"
	if !filepath.IsAbs(r.common) {
		r.common = filepath.Join(o.Dir, r.common)
	}
	if !sameFile(line[5], o.Dir) {
		return nil, fmt.Errorf("%s lies inside the repository %s and is not its top: set `directory` to the top if that one is meant", o.Dir, line[5])
	}
	r.protect()
	out, err = r.Git(ctx, Call{Args: []string{"config", "--list", "-z"}})
	if err != nil {
		return nil, err
	}
	r.Config = parseConfig(out)
	return r, nil
}

func openError(dir string, err error) error {
	switch text := err.Error(); {
	case strings.Contains(text, "dubious ownership"):
		return fmt.Errorf("git does not trust %s, which belongs to another user: git config --global --add safe.directory %s", dir, dir)
	case strings.Contains(text, "not a git repository"):
		return fmt.Errorf("%s is not a git repository: git init or git clone makes one", dir)
	}
	return err
}

func sameFile(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}

// protect turns the protected paths into paths below the top.
func (r *Repo) protect() {
	tops := []string{r.Top}
	if p, err := filepath.EvalSymlinks(r.Top); err == nil && p != r.Top {
		tops = append(tops, p)
	}
	for _, p := range r.Protected {
		all := []string{filepath.Clean(p)}
		if q, err := filepath.EvalSymlinks(p); err == nil {
			all = append(all, q)
		}
		for _, q := range all {
			for _, top := range tops {
				if rel, err := filepath.Rel(top, q); err == nil && filepath.IsLocal(rel) {
					r.Shielded = append(r.Shielded, filepath.ToSlash(rel))
				}
			}
		}
	}
}

// IsProtected reports whether a path below the top is protected or lies in
// something protected.
func (r *Repo) IsProtected(path string) bool {
	for _, p := range r.Shielded {
		if path == p || p == "." || strings.HasPrefix(path, p+"/") {
			return true
		}
	}
	return false
}

// Call is one run of git.
type Call struct {
	Args    []string
	verb    string   // for messages; "": args[0]
	Env     []string // added last
	Index   string   // the index to use; "": the repository's
	Scratch *Scratch // read and write content as it is, without filters
	Plain   bool     // content filters of the user's do not run
	hooks   bool     // hooks of the user's run
	Stdin   []byte
	Out     io.Writer // nil: returned
}

// Git runs git and returns what it printed. The error is one line with
// neither secrets nor credentials.
func (r *Repo) Git(ctx context.Context, c Call) ([]byte, error) {
	argv := []string{"git", "--no-pager", "-c", "color.ui=never", "-c", "core.fsmonitor=false", "-c", "gc.auto=0", "-c", "maintenance.auto=false",
		"-c", "core.splitIndex=false", "-c", "core.fsync=committed,reference", "-c", "core.fsyncMethod=batch", "-c", "log.showSignature=false"}
	if !c.hooks {
		argv = append(argv, "-c", "core.hooksPath=/dev/null")
	}
	if c.Plain {
		argv = append(argv, r.Config.plain...)
	}
	env := append(r.Env[:len(r.Env):len(r.Env)], c.Env...)
	if c.Index != "" {
		env = append(env, "GIT_INDEX_FILE="+c.Index)
	}
	if c.Scratch != nil {
		env = append(env, "GIT_DIR="+c.Scratch.gitDir, "GIT_WORK_TREE="+r.Top, "GIT_OBJECT_DIRECTORY="+filepath.Join(r.common, "objects"))
	}
	var out bytes.Buffer
	complaint := &tail{}
	cmd := proc.Command{Argv: append(argv, c.Args...), Env: env, Dir: r.Top, Stdin: c.Stdin, Out: &out, Err: complaint}
	if c.Out != nil {
		cmd.Out = c.Out
	}
	res, err := r.Proc.Run(ctx, cmd)
	if ctx.Err() != nil && (err != nil || res.Code != 0) {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, err
	}
	if res.Code != 0 {
		if c.verb == "" {
			c.verb = c.Args[0]
		}
		return out.Bytes(), &gitError{verb: c.verb, code: res.Code, signal: res.Signal, text: r.Clean(complaint.line())}
	}
	return out.Bytes(), nil
}

// Text is git with its output as one trimmed string.
func (r *Repo) Text(ctx context.Context, args ...string) (string, error) {
	out, err := r.Git(ctx, Call{Args: args})
	return strings.TrimSpace(string(out)), err
}

// Clean takes secrets and credentials out of a message.
func (r *Repo) Clean(s string) string { return MaskURL(r.Mask(s)) }

// Say tells Out one line, without secrets.
func (r *Repo) Say(format string, args ...any) {
	fmt.Fprintln(r.Out, r.Clean(fmt.Sprintf(format, args...)))
}

// gitError is a failure that git reported.
type gitError struct {
	verb   string
	code   int
	signal string
	text   string
}

// Error is one line.
func (e *gitError) Error() string {
	s := fmt.Sprintf("git %s: exit code %d", e.verb, e.code)
	if e.signal != "" {
		s = fmt.Sprintf("git %s: ended by %s", e.verb, e.signal)
	}
	if e.text != "" {
		s += ": " + e.text
	}
	return s
}

// ExitCode is that of git, -1 when the error is another one.
func ExitCode(err error) int {
	var g *gitError
	if errors.As(err, &g) {
		return g.code
	}
	return -1
}

// tail keeps the end of what git complains about.
type tail struct{ b []byte }

const tailSize = 4 << 10

// Write keeps the last bytes.
func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p...)
	if len(t.b) > 2*tailSize {
		t.b = append(t.b[:0], t.b[len(t.b)-tailSize:]...)
	}
	return len(p), nil
}

// line is the complaint in one line: from the first line that is an error on.
func (t *tail) line() string {
	var all, errs []string
	for _, l := range strings.FieldsFunc(string(t.b), func(c rune) bool { return c == '\n' || c == '\r' }) {
		l = strings.TrimSpace(l)
		if l == "" || strings.HasPrefix(l, "hint:") {
			continue
		}
		all = append(all, l)
		if len(errs) > 0 || strings.HasPrefix(l, "fatal:") || strings.HasPrefix(l, "error:") || strings.HasPrefix(l, "! [") {
			errs = append(errs, strings.TrimPrefix(strings.TrimPrefix(l, "fatal: "), "error: "))
		}
	}
	if len(errs) > 0 {
		all = errs
	}
	s := strings.Join(all, "; ")
	if len(s) > 500 {
		s = s[:500] + "…"
	}
	return strings.ToValidUTF8(s, "?")
}

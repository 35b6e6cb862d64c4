// Package checkout is the step kind `github/checkout`: what actions/checkout
// becomes on a machine that has the repository already.
//
// The work tree that is here is the checkout. It is looked at and never moved:
// where another commit, branch or repository is asked for, the step fails and
// says how to get there, or, with `path`, puts it beside: a work tree of its own
// in a folder that only this kind moves on (place.go).
package checkout

import (
	"context"
	_ "embed" // the schema fragment
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/pipeline"
)

//go:embed checkout.json
var fragment []byte

// Kind is the step kind `github/checkout`.
func Kind() kind.Action {
	k := kind.Define("github/checkout", fragment, func(w with, d kind.Deps) (pipeline.Action, error) {
		if err := w.check(); err != nil {
			return nil, err
		}
		return &action{w, d}, nil
	})
	k.Secrets = map[string]string{"token": "GITHUB_TOKEN"}
	return k
}

// with is `with` of the kind.
type with struct {
	Repository string `json:"repository"`
	Ref        string `json:"ref"`
	Path       string `json:"path"`
	Depth      int    `json:"fetch-depth"`
	Tags       bool   `json:"fetch-tags"`
	Submodules any    `json:"submodules"` // a boolean, or "recursive"
	LFS        bool   `json:"lfs"`
	Server     string `json:"github-server-url"`
	Token      string `json:"token"`

	// Read for the sake of actions/checkout: there is nothing here that they
	// could say.
	Clean       any `json:"clean"`
	Persist     any `json:"persist-credentials"`
	Safe        any `json:"set-safe-directory"`
	Progress    any `json:"show-progress"`
	Filter      any `json:"filter"`
	Sparse      any `json:"sparse-checkout"`
	SparseCones any `json:"sparse-checkout-cone-mode"`
}

// check finds what no git may be given: a text that git would take for an
// option.
func (w *with) check() error {
	for _, x := range []struct{ key, text string }{{"ref", w.Ref}, {"repository", w.Repository}, {"path", w.Path}, {"github-server-url", w.Server}} {
		if strings.HasPrefix(x.text, "-") || strings.ContainsFunc(x.text, func(r rune) bool { return r < ' ' }) {
			return fmt.Errorf("%s: %q cannot be what is meant: it begins with a dash or holds a control character", x.key, x.text)
		}
	}
	for _, x := range []struct{ key, text string }{{"repository", w.Repository}, {"github-server-url", w.Server}} {
		// Whoever lists the processes of the machine reads git's arguments.
		if open(x.text) {
			return fmt.Errorf("%s: the address holds a name or a password: write it without, and the token under token", x.key)
		}
	}
	if w.Repository != "" && strings.Contains(w.Repository, "::") {
		return fmt.Errorf("repository: %q names a helper of git: write owner/name or an address", w.Repository)
	}
	return nil
}

// submodules reports whether submodules are wanted, and theirs too.
func (w *with) submodules() (want, deep bool) {
	switch x := w.Submodules.(type) {
	case bool:
		return x, false
	case string:
		return x == "true" || x == "recursive", x == "recursive"
	}
	return false, false
}

type action struct {
	with
	deps kind.Deps
}

// view is what a work tree is like.
type view struct {
	dir    string
	top    string // of the work tree; "": it is no repository
	commit string // "": there is none yet
	branch string // without refs/heads/; "": HEAD is detached
	dirty  int    // files that HEAD does not hold
	remote []string
	thin   bool // its history is cut off
	own    bool // this kind made it
}

func (v *view) outputs() map[string]any {
	ref := v.branch
	if ref != "" {
		ref = "refs/heads/" + ref
	}
	return map[string]any{"commit": v.commit, "ref": ref, "branch": v.branch, "clean": v.top != "" && v.dirty == 0, "path": v.dir}
}

// where is HEAD in words.
func (v *view) where() string {
	switch {
	case v.commit == "":
		return v.branch + " without a commit"
	case v.branch == "":
		return "detached at " + short(v.commit)
	}
	return v.branch + " at " + short(v.commit)
}

func short(oid string) string { return oid[:min(len(oid), 9)] }

// look reads a work tree and changes nothing.
func look(ctx context.Context, g *git) (*view, error) {
	v := &view{dir: g.dir}
	out, err := g.text(ctx, "rev-parse", "--show-toplevel", "--is-shallow-repository", "--absolute-git-dir")
	if err != nil {
		if ctx.Err() == nil && strings.Contains(err.Error(), "not a git repository") {
			return v, nil
		}
		return nil, err
	}
	line := strings.Split(out, "\n")
	if len(line) < 3 {
		return nil, fmt.Errorf("%s is a bare repository: it has no work tree", g.dir)
	}
	v.top, v.thin = line[0], line[1] == "true"
	_, err = os.Lstat(filepath.Join(line[2], mark))
	v.own = err == nil
	if v.branch, err = g.text(ctx, "symbolic-ref", "-q", "HEAD"); err != nil && code(err) != 1 {
		return nil, err
	}
	v.branch = strings.TrimPrefix(v.branch, "refs/heads/")
	if v.commit, err = g.resolve(ctx, "HEAD"); err != nil {
		return nil, err
	}
	if out, err = g.text(ctx, "status", "--porcelain=v1", "--untracked-files=normal", "--ignore-submodules=dirty"); err != nil {
		return nil, err
	}
	for line := range strings.Lines(out) {
		if strings.TrimSpace(line) != "" {
			v.dirty++
		}
	}
	if out, err = g.text(ctx, "config", "--get-regexp", `^remote\..*\.url$`); err != nil && code(err) != 1 {
		return nil, err
	}
	for line := range strings.Lines(out) {
		if _, url, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			v.remote = append(v.remote, url)
		}
	}
	return v, nil
}

// at is the folder that is meant.
func (a *action) at(s *pipeline.Scope) (string, error) {
	if a.Path == "" || a.Path == "." {
		return filepath.Clean(s.Dir), nil
	}
	dir, err := s.Inside(a.Path)
	if err != nil {
		return "", err
	}
	if rel, err := filepath.Rel(s.State, dir); s.State != "" && err == nil && filepath.IsLocal(rel) {
		return "", fmt.Errorf("path: %s is redundctl's own: name another folder", a.Path)
	}
	return dir, nil
}

func (a *action) git(s *pipeline.Scope, dir string) *git {
	return &git{dir: dir, proc: a.deps.Proc, env: environment(s.Env), mask: s.Mask}
}

// beside reports whether the checkout has a folder of its own.
func (a *action) beside(s *pipeline.Scope, dir string) bool { return dir != filepath.Clean(s.Dir) }

// Run looks at the work tree, or puts one beside it.
func (a *action) Run(ctx context.Context, s *pipeline.Scope) (pipeline.Outputs, error) {
	dir, err := a.at(s)
	if err != nil {
		return pipeline.Outputs{}, err
	}
	if a.beside(s, dir) {
		if err := a.place(ctx, s, dir); err != nil {
			return pipeline.Outputs{}, err
		}
	}
	g := a.git(s, dir)
	v, err := look(ctx, g)
	if err != nil {
		return pipeline.Outputs{}, err
	}
	for _, line := range a.account(v) {
		fmt.Fprintln(out(s), s.Mask(line))
	}
	out := pipeline.Outputs{Values: v.outputs()}
	return out, a.judge(ctx, g, v)
}

func out(s *pipeline.Scope) io.Writer {
	if s.Out == nil {
		return io.Discard
	}
	return s.Out
}

// account says what is here.
func (a *action) account(v *view) []string {
	if v.top == "" {
		return []string{v.dir + " is not in a git repository: its files are taken as they are"}
	}
	state := "clean"
	if v.dirty > 0 {
		state = diag.Count(v.dirty, "path") + " not as committed"
	}
	lines := []string{fmt.Sprintf("%s stands on %s: %s", v.dir, v.where(), state)}
	if v.thin && a.Depth == 0 {
		lines = append(lines, "warning: its history is cut off, and fetch-depth: 0 asks for all of it: git fetch --unshallow brings it")
	}
	if a.LFS {
		lines = append(lines, "lfs: files are as they lie here; git lfs pull brings what is missing")
	}
	return lines
}

// judge tells whether what is here is what was asked for.
func (a *action) judge(ctx context.Context, g *git, v *view) error {
	if v.top == "" {
		if a.Ref == "" && a.Repository == "" {
			return nil
		}
		return fmt.Errorf("%s is not in a git repository, so nobody can know whether it is %s: clone it there, or leave out ref and repository",
			v.dir, strings.TrimSpace(a.Repository+" "+a.Ref))
	}
	if err := a.same(v); err != nil {
		return err
	}
	if err := a.stands(ctx, g, v); err != nil {
		return err
	}
	return a.modules(ctx, g, v)
}

// same tells whether it is the repository that was asked for.
func (a *action) same(v *view) error {
	if a.Repository == "" {
		return nil
	}
	for _, url := range v.remote {
		if sameRepository(a.Repository, url) {
			return nil
		}
	}
	has := "it has no remote"
	if len(v.remote) > 0 {
		var list []string
		for _, r := range v.remote {
			list = append(list, bare(r))
		}
		has = "its remotes are " + strings.Join(list, ", ")
	}
	return fmt.Errorf("%s is not %s: %s; set path to a folder of its own to have it fetched there", v.dir, bare(a.Repository), has)
}

// stands tells whether HEAD is where it was asked for: on the branch, or at the
// commit.
func (a *action) stands(ctx context.Context, g *git, v *view) error {
	if a.Ref == "" || v.own { // what we made was put where it belongs
		return nil
	}
	if v.branch != "" && (a.Ref == v.branch || a.Ref == "refs/heads/"+v.branch) {
		return nil
	}
	commit, err := g.find(ctx, a.Ref)
	switch {
	case err != nil:
		return err
	case commit == "":
		return fmt.Errorf("%s stands on %s, and %s is not known there: git fetch brings it, and path gives it a work tree of its own", v.dir, v.where(), a.Ref)
	case commit != v.commit:
		return fmt.Errorf("%s stands on %s, not on %s at %s: git checkout %s there, or give it a work tree of its own with path",
			v.dir, v.where(), a.Ref, short(commit), strings.TrimPrefix(a.Ref, "refs/heads/"))
	}
	return nil
}

// modules tells whether submodules are there that were asked for.
func (a *action) modules(ctx context.Context, g *git, v *view) error {
	if want, _ := a.submodules(); !want {
		return nil
	}
	list, err := g.text(ctx, "ls-files", "--stage", "-z")
	if err != nil {
		return err
	}
	for _, line := range strings.Split(list, "\x00") {
		told, name, ok := strings.Cut(line, "\t")
		if !ok || !strings.HasPrefix(told, "160000 ") {
			continue
		}
		if _, err := os.Lstat(filepath.Join(g.dir, name, ".git")); errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("the submodule %s is not there: git submodule update --init --recursive in %s brings it", name, v.dir)
		}
	}
	return nil
}

// sameRepository reports whether an address is that of a repository, which is
// owner/name or an address itself.
func sameRepository(want, url string) bool { return name(want) != "" && name(want) == name(url) }

// name is a repository as host-less owner/name, in small letters as GitHub takes
// it; of a path on this machine the whole of it.
func name(address string) string {
	x := strings.TrimSuffix(strings.TrimSuffix(strings.TrimRight(bare(address), "/"), ".git"), "/")
	if strings.HasPrefix(x, "/") || strings.HasPrefix(x, "file://") {
		return strings.TrimPrefix(x, "file://")
	}
	if _, rest, ok := strings.Cut(x, "://"); ok {
		_, x, _ = strings.Cut(rest, "/")
	} else if m := regexp.MustCompile(`^[^/]+:(.+)$`).FindStringSubmatch(x); m != nil { // git@host:owner/name
		x = m[1]
	}
	return strings.ToLower(strings.Trim(x, "/"))
}

// open reports whether an address holds a password; of ssh a name alone is none.
func open(address string) bool {
	scheme, rest, ok := strings.Cut(address, "://")
	host, _, _ := strings.Cut(rest, "/")
	at := strings.LastIndexByte(host, '@')
	return ok && at >= 0 && (scheme != "ssh" || strings.Contains(host[:at], ":"))
}

// bare is an address without a name and a password.
func bare(address string) string {
	scheme, rest, ok := strings.Cut(address, "://")
	if !ok {
		return address
	}
	host, tail, _ := strings.Cut(rest, "/")
	if i := strings.LastIndexByte(host, '@'); i >= 0 {
		host = host[i+1:]
	}
	return scheme + "://" + host + "/" + tail
}

// Plan says what is here, and what would be made.
func (a *action) Plan(ctx context.Context, s *pipeline.Scope) ([]pipeline.Effect, error) {
	dir, err := a.at(s)
	if err != nil {
		return nil, err
	}
	var effects []pipeline.Effect
	if a.beside(s, dir) {
		what, err := a.planPlace(ctx, s, dir)
		if err != nil || what != "" {
			return []pipeline.Effect{pipeline.Effect(s.Mask(what))}, err
		}
	}
	g := a.git(s, dir)
	v, err := look(ctx, g)
	if err != nil {
		return nil, err
	}
	for _, line := range a.account(v) {
		effects = append(effects, pipeline.Effect(s.Mask(line)))
	}
	if err := a.judge(ctx, g, v); err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		effects = append(effects, pipeline.Effect("would fail: "+s.Mask(err.Error())))
	}
	return effects, nil
}

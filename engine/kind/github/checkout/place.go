package checkout

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/redundctl/redundctl/engine/pipeline"
)

// mark is a file in the git directory of a work tree that this kind made: no
// other is ever moved.
const mark = "redund-checkout"

// place sees to it that the folder holds the checkout that is asked for: a work
// tree of the repository that is here, or a clone of another one. A folder that
// this kind did not make is left as it is, for judge to look at.
func (a *action) place(ctx context.Context, s *pipeline.Scope, dir string) error {
	here := a.git(s, s.Dir)
	if a.foreign(ctx, s) {
		return a.clone(ctx, s, dir)
	}
	if there(dir) {
		v, err := a.ours(ctx, s, dir)
		if err != nil || v == nil {
			return err
		}
		commit, err := a.commit(ctx, here, a.Ref)
		if err != nil || commit == v.commit {
			return err
		}
		return a.move(ctx, a.git(s, dir), v, commit)
	}
	commit, err := a.commit(ctx, here, a.Ref)
	if err != nil {
		return err
	}
	if _, err := here.text(ctx, "worktree", "prune"); err != nil { // a folder that was removed by hand is in the way
		return err
	}
	if _, err := here.text(ctx, "worktree", "add", "--detach", dir, commit); err != nil {
		return fmt.Errorf("a work tree cannot be put at %s: %w", dir, err)
	}
	return a.finish(ctx, a.git(s, dir), true)
}

// foreign reports whether another repository is asked for than the one that is
// here.
func (a *action) foreign(ctx context.Context, s *pipeline.Scope) bool {
	if a.Repository == "" {
		return false
	}
	v, err := look(ctx, a.git(s, s.Dir))
	return err != nil || v.top == "" || a.same(v) != nil
}

// there reports whether a folder holds anything.
func there(dir string) bool {
	list, err := os.ReadDir(dir)
	return len(list) > 0 || err != nil && !errors.Is(err, fs.ErrNotExist)
}

// ours is the work tree at a folder if this kind made it; nil: it did not.
func (a *action) ours(ctx context.Context, s *pipeline.Scope, dir string) (*view, error) {
	v, err := look(ctx, a.git(s, dir))
	switch {
	case err != nil:
		return nil, err
	case v.top == "" || !same(v.top, dir):
		return nil, fmt.Errorf("%s is not empty and no work tree of its own: remove it, or name another folder", dir)
	case !v.own:
		return nil, nil //nolint:nilnil // there is one, and it is somebody else's
	}
	return v, nil
}

func same(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}

// commit is the one that a ref means here, or what the remote has under it.
func (a *action) commit(ctx context.Context, g *git, ref string) (string, error) {
	if ref == "" {
		ref = "HEAD"
		oid, err := g.resolve(ctx, ref)
		if err == nil && oid == "" {
			err = fmt.Errorf("%s has no commit yet", g.dir)
		}
		return oid, err
	}
	oid, err := g.find(ctx, ref)
	if err != nil || oid != "" {
		return oid, err
	}
	return a.fetch(ctx, g, "origin", ref)
}

// fetch brings what a remote has under a ref and gives its commit.
func (a *action) fetch(ctx context.Context, g *git, remote, ref string) (string, error) {
	args := []string{"fetch", "--quiet", "--no-recurse-submodules"}
	if a.Depth > 0 {
		args = append(args, "--depth", strconv.Itoa(a.Depth))
	}
	if !a.Tags {
		args = append(args, "--no-tags")
	}
	if _, err := g.with(ctx, bearer(g.env, a.Server, a.Token), append(args, "--end-of-options", remote, ref)...); err != nil {
		return "", fmt.Errorf("%s cannot be fetched from %s: %w", ref, bare(remote), err)
	}
	return g.text(ctx, "rev-parse", "--verify", "FETCH_HEAD^{commit}")
}

// move brings a work tree of ours to another commit; what was changed in it
// stays.
func (a *action) move(ctx context.Context, g *git, v *view, commit string) error {
	if v.dirty > 0 {
		return fmt.Errorf("%s holds changes that are not committed: commit or remove them, for it is to be brought to %s", v.dir, short(commit))
	}
	if _, err := g.text(ctx, "checkout", "--quiet", "--detach", commit); err != nil {
		return err
	}
	return a.finish(ctx, g, false)
}

// finish marks a new work tree as ours and brings submodules.
func (a *action) finish(ctx context.Context, g *git, first bool) error {
	if first {
		at, err := g.text(ctx, "rev-parse", "--absolute-git-dir")
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(at, mark), nil, 0o600); err != nil {
			return err
		}
	}
	want, deep := a.submodules()
	if !want {
		return nil
	}
	args := []string{"submodule", "--quiet", "update", "--init"}
	if deep {
		args = append(args, "--recursive")
	}
	_, err := g.with(ctx, bearer(g.env, a.Server, a.Token), args...)
	return err
}

// address is where a repository is fetched from.
func (a *action) address() string {
	if strings.Contains(a.Repository, "://") || strings.HasPrefix(a.Repository, "/") || strings.Contains(a.Repository, ":") {
		return a.Repository
	}
	return strings.TrimRight(a.Server, "/") + "/" + a.Repository
}

// clone brings another repository into a folder. One that is there already and
// ours is moved on.
func (a *action) clone(ctx context.Context, s *pipeline.Scope, dir string) error {
	g := a.git(s, dir)
	if there(dir) {
		v, err := a.ours(ctx, s, dir)
		if err != nil || v == nil {
			return err
		}
		if err := a.same(v); err != nil {
			return err
		}
		commit, err := a.fetch(ctx, g, a.address(), asked(a.Ref))
		if err != nil || commit == v.commit {
			return err
		}
		return a.move(ctx, g, v, commit)
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	err := a.fill(ctx, g)
	if err != nil { // half a clone is none
		_ = os.RemoveAll(filepath.Join(dir, ".git"))
	}
	return err
}

// fill makes a clone in an empty folder.
func (a *action) fill(ctx context.Context, g *git) error {
	if _, err := g.text(ctx, "init", "--quiet"); err != nil {
		return err
	}
	if _, err := g.text(ctx, "remote", "add", "--", "origin", bare(a.address())); err != nil {
		return err
	}
	commit, err := a.fetch(ctx, g, a.address(), asked(a.Ref))
	if err != nil {
		return err
	}
	if _, err := g.text(ctx, "checkout", "--quiet", "--detach", commit); err != nil {
		return err
	}
	return a.finish(ctx, g, true)
}

// asked is a ref that a remote knows.
func asked(ref string) string {
	if ref == "" {
		return "HEAD"
	}
	return ref
}

// planPlace says what place would do; "": nothing, what is there serves.
func (a *action) planPlace(ctx context.Context, s *pipeline.Scope, dir string) (string, error) {
	what, from := "a work tree", ""
	if a.foreign(ctx, s) {
		what, from = "a clone", " of "+bare(a.address())
	}
	ref := a.Ref
	if ref == "" {
		ref = "HEAD"
	}
	if !there(dir) {
		return fmt.Sprintf("would make %s%s at %s, on %s", what, from, dir, ref), nil
	}
	v, err := a.ours(ctx, s, dir)
	if err != nil || v == nil {
		return "", err
	}
	return fmt.Sprintf("would bring the work tree at %s from %s to %s%s", dir, v.where(), ref, from), nil
}

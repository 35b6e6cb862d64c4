package git

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/kind/git/worktree"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// planPaths is how many paths or commits a dry run names.
const planPaths = 50

// effects collects the lines of a dry run.
type effects struct {
	r    *Repo
	list []pipeline.Effect
}

func (e *effects) add(format string, args ...any) {
	e.list = append(e.list, pipeline.Effect(e.r.Clean(fmt.Sprintf(format, args...))))
}

func (e *effects) each(what string, list []string) {
	for i, p := range list {
		if i == planPaths {
			e.add("%s: %d more", what, len(list)-i)
			return
		}
		e.add("%s %s", what, worktree.Show(p))
	}
}

// Plan says how far the work tree and its remote are apart and what a sync
// would change. It reads the remote's branch (ls-remote) and fetches nothing.
func (a *syncAction) Plan(ctx context.Context, s *pipeline.Scope) ([]pipeline.Effect, error) {
	r, err := open(ctx, s, a.deps, a.with.Directory)
	if err != nil {
		return nil, err
	}
	if err := r.Unfinished(); err != nil {
		return nil, err
	}
	j := &job{Repo: r, w: a.with, res: &synced{}, m: &worktree.Move{Seen: map[string]worktree.Stamp{}}}
	e := &effects{r: r}
	if err := e.repairs(a.with.Repair); err != nil {
		return nil, err
	}
	if err := j.locate(ctx); err != nil {
		return nil, err
	}
	err = r.Ask(ctx, &j.t)
	if err != nil {
		known, _ := r.Resolve(ctx, j.t.Tracking)
		if ctx.Err() != nil || known == "" || strings.Contains(err.Error(), "has no branch") {
			return nil, err
		}
		e.add("%v; what follows is by the last fetch", err)
		j.t.Oid = known
	}
	if err := j.planCommits(ctx, e); err != nil {
		return nil, err
	}
	return e.list, nil
}

func (j *job) planCommits(ctx context.Context, e *effects) (err error) {
	if j.st, err = j.Status(ctx, ""); err != nil {
		if bad := j.IndexProblem(); bad != "" && j.w.Repair {
			e.add("the index %s: it would be rebuilt from HEAD after a backup; what else would change is known only then", bad)
			return nil
		}
		return err
	}
	if j.tip != j.t.Oid && !j.Here(ctx, j.t.Oid) {
		e.add("%s is at %s, %s at %s: its commits are not here yet, so that what would change is known only after the fetch", j.t.Branch, orNone(j.tip), j.t, worktree.Short(j.t.Oid))
		e.add("fetch %s from %s", j.t.Branch, j.t.Remote)
		if j.st.Clean() {
			return nil
		}
		e.add("local changes: %s, %s", diag.Count(len(j.st.Changes), "tracked file"), diag.Count(len(j.st.Untracked), "untracked file"))
		j.planLocal(e)
		return nil
	}
	if j.res.ahead, j.res.behind, err = j.Apart(ctx, j.tip, j.t.Oid); err != nil {
		return err
	}
	e.add("%s is %d ahead of and %d behind %s", j.t.Branch, j.res.ahead, j.res.behind, j.t)
	j.m.To = j.t.Oid
	switch {
	case j.w.Strategy == hardreset || j.res.ahead == 0:
		if j.m.To != j.m.From || j.m.ToBranch != j.m.FromBranch {
			e.add("move %s from %s to %s", j.t.Branch, orNone(j.tip), worktree.Short(j.t.Oid))
		}
	case j.res.behind == 0:
		j.m.To = j.tip
	default:
		e.add("%s %s and %s; whether they conflict is known only then", j.w.Strategy, worktree.Short(j.tip), worktree.Short(j.t.Oid))
	}
	if j.w.Strategy != merge && j.res.ahead > 0 && j.m.To == j.t.Oid {
		gone, err := j.Commits(ctx, j.tip, j.t.Oid, planPaths+1)
		if err != nil {
			return err
		}
		what := "drop commit"
		if j.w.Strategy == rebase {
			what = "rewrite commit"
		}
		e.each(what, gone)
	}
	base := j.m.From
	if j.w.Strategy != hardreset && j.res.ahead > 0 && j.res.behind > 0 {
		if base, err = j.Text(ctx, "merge-base", j.tip, j.t.Oid); err != nil {
			return fmt.Errorf("the histories have nothing in common%s", j.shallowHint())
		}
	}
	if j.changed, err = j.Diff(ctx, base, j.m.To); err != nil {
		return err
	}
	for _, k := range []struct {
		kind byte
		what string
	}{{'A', "add"}, {'M', "change"}, {'T', "change the type of"}, {'D', "remove"}} {
		var list []string
		for _, p := range slices.Sorted(maps.Keys(j.changed)) {
			if j.changed[p] == k.kind {
				list = append(list, p)
			}
		}
		e.each(k.what, list)
	}
	j.planLocal(e)
	if j.w.Push && (j.m.To == j.tip && j.res.ahead > 0 || j.w.Strategy != hardreset && j.res.ahead > 0) {
		e.add("push to %s", j.t)
	}
	if j.w.GC {
		e.add("git gc")
	}
	if len(e.list) == 1 && j.res.ahead == 0 && j.res.behind == 0 {
		e.add("nothing to do")
	}
	return nil
}

// planLocal says what becomes of local changes.
func (j *job) planLocal(e *effects) {
	var changed, hit []string
	for _, c := range j.st.Changes {
		changed = append(changed, c.Path)
		if _, ok := j.changed[c.Path]; ok {
			hit = append(hit, c.Path)
		}
	}
	for _, p := range j.st.Untracked {
		if _, ok := j.changed[p]; ok {
			hit = append(hit, p)
		}
	}
	saving := j.w.Backup && (!j.st.Clean() || j.res.ahead > 0) && (j.w.Strategy == hardreset || j.m.To != j.m.From)
	if saving {
		e.add("back up first: %s, %d changed and %s", diag.Count(j.res.ahead, "commit"), len(changed), diag.Count(len(j.st.Untracked), "untracked file"))
	}
	if j.w.Strategy != hardreset {
		if len(hit) > 0 {
			e.add("it would be refused: local changes of %s would be overwritten", listed(hit))
		}
		return
	}
	e.each("discard the local change of", changed)
	if j.w.Clean {
		e.each("remove the untracked file", j.st.Untracked)
	}
}

func orNone(oid string) string {
	if oid == "" {
		return "no commit"
	}
	return worktree.Short(oid)
}

// repairs says what stands in the way and would be set right.
func (e *effects) repairs(repair bool) error {
	r := e.r
	if n := len(r.Leftovers()); n > 0 {
		if !repair {
			return fmt.Errorf("an earlier sync of %s died in the middle: git/repair takes it back", r.Top)
		}
		e.add("take back a sync that died in the middle")
	}
	path := filepath.Join(r.GitDir, "index.lock")
	if _, err := os.Lstat(path); err != nil {
		return nil //nolint:nilerr // not locked
	}
	if who := r.Holder(path); who != "" {
		e.add("%s is held by %s: it would be refused while that is so", path, who)
	} else if repair {
		e.add("remove %s, which a dead process left", path)
	} else {
		e.add("%s exists: it would be refused", path)
	}
	return nil
}

func (r *Repo) planBackup(ctx context.Context) ([]pipeline.Effect, error) {
	st, err := r.Status(ctx, "")
	if err != nil {
		return nil, err
	}
	e := &effects{r: r}
	e.add("back up %s: %d staged, %d unstaged, %s", st.Where(), st.Count(worktree.IsStaged), st.Count(worktree.IsUnstaged), diag.Count(len(st.Untracked), "untracked file"))
	var changed []string
	for _, c := range st.Changes {
		changed = append(changed, c.Path)
	}
	e.each("save the local change of", changed)
	e.each("save the untracked file", st.Untracked)
	return e.list, nil
}

func (r *Repo) planRestore(ctx context.Context, id string) ([]pipeline.Effect, error) {
	b, err := r.Find(ctx, id)
	if err != nil {
		return nil, err
	}
	if b.Problem != "" {
		return nil, fmt.Errorf("backup %s cannot be restored: %s", b.ID, b.Problem)
	}
	st, err := r.Status(ctx, "")
	if err != nil {
		return nil, err
	}
	e := &effects{r: r}
	e.add("back up first: %d changed and %s", len(st.Changes), diag.Count(len(st.Untracked), "untracked file"))
	if b.Head != "" && (b.Head != st.Head || b.Meta.Branch != st.Branch) {
		e.add("move HEAD from %s to %s", st.Where(), (&worktree.Status{Head: b.Head, Branch: b.Meta.Branch}).Where())
	}
	e.add("restore backup %s: %s", b.ID, b.Summary())
	for _, k := range []struct{ what, from, to string }{
		{"restore the local change of", b.Meta.Trees[1], b.Meta.Trees[0]}, {"restore the untracked file", r.emptyTree(), b.Meta.Trees[2]},
	} {
		d, err := r.Diff(ctx, k.from, k.to)
		if err != nil {
			return nil, err
		}
		e.each(k.what, slices.Sorted(maps.Keys(d)))
	}
	return e.list, nil
}

func (r *Repo) planRepair(_ context.Context) ([]pipeline.Effect, error) {
	e := &effects{r: r}
	if err := e.repairs(true); err != nil {
		return nil, err
	}
	if bad := r.IndexProblem(); bad != "" {
		e.add("rebuild the index, which %s, from HEAD, after a backup of the work tree", bad)
	}
	if len(e.list) == 0 {
		e.add("nothing to repair in %s", r.Top)
	}
	return e.list, nil
}

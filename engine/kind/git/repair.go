package git

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/redundctl/redundctl/engine/kind/git/backups"
	"github.com/redundctl/redundctl/engine/kind/git/worktree"
)

// repaired is what git/repair found and did.
type repaired struct {
	done   []string
	backup *backups.Backup
}

// repair sets right what keeps git from working here: a sync that died in the
// middle, a lock that a dead process left, an index that cannot be read.
// Nothing else is touched, and the content of the work tree is saved first.
func (r *Repo) repair(ctx context.Context) (*repaired, error) {
	res := &repaired{}
	for _, u := range r.Leftovers() {
		res.done = append(res.done, "took back a sync that had died: "+filepath.Base(u.Dir))
	}
	if err := r.recover(ctx, true); err != nil {
		return res, err
	}
	lockFile := filepath.Join(r.GitDir, "index.lock")
	if _, err := os.Lstat(lockFile); err == nil {
		res.done = append(res.done, "removed "+lockFile)
	}
	l, err := r.LockIndex(ctx, true)
	if err != nil {
		return res, err
	}
	defer func() { l.Release() }()
	if bad := r.IndexProblem(); bad != "" {
		if res.backup, err = r.rebuildIndex(ctx, &l); err != nil {
			return res, err
		}
		res.done = append(res.done, "rebuilt the index, which "+bad)
	}
	return res, nil
}

// mend rebuilds an index that cannot be read; almost everything that git does
// reads it.
func (r *Repo) mend(ctx context.Context, repair bool) error {
	bad := r.IndexProblem()
	if bad == "" {
		return nil
	}
	if !repair {
		return fmt.Errorf("the index of %s %s: git/repair rebuilds it", r.Top, bad)
	}
	l, err := r.LockIndex(ctx, true)
	if err != nil {
		return err
	}
	defer func() { l.Release() }()
	b, err := r.rebuildIndex(ctx, &l)
	if err == nil {
		r.Say("rebuilt the index, which %s; the content of the work tree is in backup %s", bad, b.ID)
	}
	return err
}

// rebuildIndex makes the index anew from HEAD, after a backup of the work
// tree and of the damaged file. It touches the index alone.
func (r *Repo) rebuildIndex(ctx context.Context, l **worktree.Lock) (*backups.Backup, error) {
	s, err := r.Scratch()
	if err != nil {
		return nil, err
	}
	defer s.Close()
	head, err := r.Resolve(ctx, "HEAD")
	if err != nil {
		return nil, err
	}
	index := s.Index()
	args := []string{"read-tree", "--empty"}
	if head != "" {
		args = []string{"read-tree", head}
	}
	if _, err := r.Git(ctx, worktree.Call{Index: index, Args: args}); err != nil {
		return nil, fmt.Errorf("the index cannot be rebuilt: %w", err)
	}
	// Exit code 1 says that there are changes, which is no failure.
	if _, err := r.Git(ctx, worktree.Call{Index: index, Plain: true, Args: []string{"update-index", "-q", "--refresh"}}); err != nil && worktree.ExitCode(err) != 1 {
		return nil, err
	}
	st, err := r.Status(ctx, index)
	if err != nil {
		return nil, err
	}
	b, err := r.Save(ctx, st, backups.Occasion{Reason: "repair of the index", Corrupt: true})
	if err != nil {
		return nil, err
	}
	if err := (*l).Publish(index); err != nil {
		return nil, err
	}
	*l, err = r.LockIndex(ctx, false)
	if err != nil {
		*l = &worktree.Lock{}
		return nil, err
	}
	return &b.Backup, nil
}

// recover takes back moves whose process died in the middle.
func (r *Repo) recover(ctx context.Context, repair bool) error {
	left := r.Leftovers()
	if len(left) == 0 {
		return nil
	}
	if !repair {
		return fmt.Errorf("an earlier sync of %s died in the middle: git/repair takes it back", r.Top)
	}
	for _, u := range left {
		if err := r.takeBack(ctx, u); err != nil {
			return err
		}
	}
	return nil
}

func (r *Repo) takeBack(ctx context.Context, u *worktree.Undo) error {
	head, branch, err := r.Heads(ctx)
	if err != nil {
		return err
	}
	n := u.Note
	switch {
	case head == n.To && n.To != n.Head:
		r.Say("an earlier sync had done its work when its process died")
		return os.RemoveAll(u.Dir)
	case head != n.Head || branch != n.Branch:
		r.Say("an earlier sync died in the middle, and HEAD was moved since: what it had put aside lies in %s", u.Dir)
		return os.Rename(u.Dir, filepath.Join(filepath.Dir(u.Dir), "old-"+filepath.Base(u.Dir)))
	}
	l, err := r.LockIndex(ctx, true)
	if err != nil {
		return err
	}
	defer l.Release()
	// Somebody may have worked here since.
	id := "none: the index cannot be read"
	if st, err := r.Status(ctx, ""); err == nil {
		b, err := r.Save(ctx, st, backups.Occasion{Reason: "before an interrupted sync was taken back"})
		if err != nil {
			return err
		}
		id = b.ID
	}
	if err := r.Roll(u); err != nil {
		return err
	}
	r.Say("an earlier sync died in the middle: everything is as it was before it (what lay here is in backup %s)", id)
	return nil
}

package git

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/redundctl/redundctl/engine/kind/git/backups"
	"github.com/redundctl/redundctl/engine/kind/git/worktree"
)

// Restored is what Restore did.
type Restored struct {
	backups.Backup                // of what was there before
	Of             backups.Backup // the one that was brought back
	Files          int            // that were written or removed
	Note           string         // what could not be as it was, or ""
}

// Restore brings a backup back: HEAD, branch, index, tracked and untracked
// files, after a backup of what is there now. Untracked files that the backup
// does not have stay, unless they are in the way. When it fails, everything
// is as it was.
func (r *Repo) Restore(ctx context.Context, id string) (*Restored, error) {
	if err := r.Unfinished(); err != nil {
		return nil, err
	}
	if err := r.recover(ctx, true); err != nil {
		return nil, err
	}
	if err := r.mend(ctx, true); err != nil {
		return nil, err
	}
	b, err := r.Find(ctx, id)
	if err != nil {
		return nil, err
	}
	if b.Problem == "" {
		if err := r.Verify(ctx, b, true); err != nil {
			b.Problem = err.Error()
		}
	}
	if b.Problem != "" {
		return nil, fmt.Errorf("backup %s cannot be restored: %s", b.ID, b.Problem)
	}
	l, err := r.LockIndex(ctx, true)
	if err != nil {
		return nil, err
	}
	defer l.Release()
	j := &job{Repo: r, m: &worktree.Move{Seen: map[string]worktree.Stamp{}, Reason: "restore of backup " + b.ID}}
	if j.st, err = r.Status(ctx, ""); err != nil {
		return nil, err
	}
	res := &Restored{Of: *b}
	if err := j.restoreHead(ctx, b, res); err != nil {
		return nil, err
	}
	s, err := r.Scratch()
	if err != nil {
		return nil, err
	}
	defer s.Close()
	if err := j.restoreFiles(ctx, s, b, res); err != nil {
		return nil, err
	}
	if err := j.restoreIndex(ctx, s, b); err != nil {
		return nil, err
	}
	if err := r.Apply(ctx, j.m, l); err != nil {
		return nil, fmt.Errorf("restore of backup %s failed: %w", b.ID, err)
	}
	res.Files = len(j.m.Touched())
	return res, nil
}

// restoreHead plans where HEAD goes.
func (j *job) restoreHead(ctx context.Context, b *backups.Backup, res *Restored) (err error) {
	m := j.m
	m.From, m.FromBranch = j.st.Head, j.st.Branch
	if b.Head == "" {
		m.To, m.ToBranch = m.From, m.FromBranch
		if m.From != "" {
			res.Note = "the backup is from before the first commit: HEAD stays where it is, files and index were restored"
		}
		return nil
	}
	m.To, m.ToBranch = b.Head, b.Meta.Branch
	if m.ToBranch != "" && m.ToBranch != m.FromBranch {
		m.ToWas, err = j.Resolve(ctx, m.ToBranch)
	}
	return err
}

// restoreFiles saves what is there and plans which files are written, and from
// where: those that were as the index had them through the user's filters, the
// others byte for byte.
func (j *job) restoreFiles(ctx context.Context, s *worktree.Scratch, b *backups.Backup, res *Restored) error {
	now, err := j.saveBefore(ctx, b)
	if err != nil {
		return err
	}
	was, is := b.Meta.Trees, now.Meta.Trees
	var d [4]map[string]byte
	for i, pair := range [][2]string{{is[0], was[0]}, {was[1], was[0]}, {is[1], is[0]}, {is[2], was[2]}} {
		if d[i], err = j.Diff(ctx, pair[0], pair[1]); err != nil {
			return err
		}
	}
	work, dirtyThen, dirtyNow, untracked := d[0], d[1], d[2], d[3]
	var rawWork, rawUntracked, all []string
	loose := map[string]bool{}
	for p, kind := range untracked {
		if kind != 'D' {
			loose[p] = true
			rawUntracked = append(rawUntracked, p)
		}
	}
	union := map[string]byte{}
	for _, set := range []map[string]byte{dirtyNow, dirtyThen, work} {
		for p, kind := range set {
			union[p] = kind
		}
	}
	for p, kind := range union {
		_, then := dirtyThen[p]
		_, differs := work[p]
		_, dirty := dirtyNow[p]
		switch {
		case kind == 'D':
			if !loose[p] {
				j.m.Remove = append(j.m.Remove, p)
			}
		case then && dirty && !differs: // the same bytes on disk
		case then:
			rawWork = append(rawWork, p)
		default:
			j.m.Write = append(j.m.Write, p)
		}
	}
	plain := j.m.Write
	all = append(append(append(all, plain...), rawWork...), rawUntracked...)
	if now, err = j.clear(ctx, b, all, now); err != nil {
		return err
	}
	j.m.Write = plain
	res.Backup = now.Backup
	for p, st := range now.Seen {
		j.m.Seen[p] = st
	}
	return j.rawSets(ctx, s, b, [2][]string{rawWork, rawUntracked})
}

// clear takes away what is in the way of files, after one more backup when
// ignored files are among it.
func (j *job) clear(ctx context.Context, b *backups.Backup, all []string, now *backups.Saved) (*backups.Saved, error) {
	local := map[string]bool{}
	for _, c := range j.st.Changes {
		local[c.Path] = true
	}
	j.changed = map[string]byte{}
	known, err := j.KnownIn(ctx, all)
	if err != nil {
		return nil, err
	}
	for _, p := range all {
		if !known[p] {
			j.changed[p] = 'A'
		}
	}
	j.m.Write = all
	if err := j.obstacles(local); err != nil {
		return nil, err
	}
	j.m.Remove = append(j.m.Remove, j.away...)
	if len(j.also) == 0 {
		return now, nil
	}
	return j.saveBefore(ctx, b)
}

func (j *job) saveBefore(ctx context.Context, b *backups.Backup) (*backups.Saved, error) {
	o := backups.Occasion{Reason: "before restore of " + b.ID, Also: j.also}
	if j.m.ToWas != "" && j.m.ToWas != j.m.From {
		o.Tips = []string{j.m.ToWas}
	}
	return j.Save(ctx, j.st, o)
}

// rawSets prepares the indexes from which files are written byte for byte.
func (j *job) rawSets(ctx context.Context, s *worktree.Scratch, b *backups.Backup, sets [2][]string) error {
	for i, list := range sets {
		if len(list) == 0 {
			continue
		}
		f := worktree.RawFiles{Scratch: s, Index: s.Index(), Paths: list}
		if _, err := j.Git(ctx, worktree.Call{Scratch: s, Index: f.Index, Args: []string{"read-tree", b.Meta.Trees[2*i]}}); err != nil {
			return err
		}
		j.m.Raw = append(j.m.Raw, f)
	}
	return nil
}

// writes reports whether the move writes a file byte for byte.
func (j *job) writes(p string) bool {
	return slices.ContainsFunc(j.m.Raw, func(f worktree.RawFiles) bool { return slices.Contains(f.Paths, p) })
}

// restoreIndex makes the index that is to be: the very file that was saved,
// or else one of the saved tree.
func (j *job) restoreIndex(ctx context.Context, s *worktree.Scratch, b *backups.Backup) (err error) {
	extras := b.Parents[2]
	if b.Head != "" {
		extras = b.Parents[3]
	}
	out, err := j.Git(ctx, worktree.Call{Args: []string{"cat-file", "blob", extras + ":modes"}})
	if err != nil {
		return err
	}
	j.m.Modes = map[string]fs.FileMode{}
	for _, l := range strings.Split(string(out), "\x00") {
		if mode, p, ok := strings.Cut(l, " "); ok && !j.IsProtected(p) && j.writes(p) {
			if n, err := strconv.ParseUint(mode, 8, 9); err == nil {
				j.m.Modes[p] = fs.FileMode(n)
			}
		}
	}
	if index, err := j.Git(ctx, worktree.Call{Args: []string{"cat-file", "blob", extras + ":index"}}); err == nil {
		j.m.Index = s.Index()
		return os.WriteFile(j.m.Index, index, 0o600)
	}
	if j.m.Index, err = s.IndexOf(j.Repo.Repo.Repo); err != nil {
		return err
	}
	_, err = j.Git(ctx, worktree.Call{Index: j.m.Index, Args: []string{"read-tree", "--reset", b.Meta.Trees[1]}})
	return err
}

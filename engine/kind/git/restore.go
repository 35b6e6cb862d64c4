package git

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
)

// Restored is what Restore did.
type Restored struct {
	Backup        // of what was there before
	Of     Backup // the one that was brought back
	Files  int    // that were written or removed
	Note   string // what could not be as it was, or ""
}

// Restore brings a backup back: HEAD, branch, index, tracked and untracked
// files, after a backup of what is there now. Untracked files that the backup
// does not have stay, unless they are in the way. When it fails, everything
// is as it was.
func (r *Repo) Restore(ctx context.Context, id string) (*Restored, error) {
	if err := r.unfinished(); err != nil {
		return nil, err
	}
	if err := r.recover(ctx, true); err != nil {
		return nil, err
	}
	if err := r.mend(ctx, true); err != nil {
		return nil, err
	}
	b, err := r.find(ctx, id)
	if err != nil {
		return nil, err
	}
	if b.Problem == "" {
		if err := r.verify(ctx, b, true); err != nil {
			b.Problem = err.Error()
		}
	}
	if b.Problem != "" {
		return nil, fmt.Errorf("backup %s cannot be restored: %s", b.ID, b.Problem)
	}
	l, err := r.lockIndex(ctx, true)
	if err != nil {
		return nil, err
	}
	defer l.release()
	j := &job{Repo: r, m: &move{seen: map[string]stamp{}, reason: "restore of backup " + b.ID}}
	if j.st, err = r.status(ctx, ""); err != nil {
		return nil, err
	}
	res := &Restored{Of: *b}
	if err := j.restoreHead(ctx, b, res); err != nil {
		return nil, err
	}
	s, err := r.scratch()
	if err != nil {
		return nil, err
	}
	defer s.close()
	if err := j.restoreFiles(ctx, s, b, res); err != nil {
		return nil, err
	}
	if err := j.restoreIndex(ctx, s, b); err != nil {
		return nil, err
	}
	if err := r.apply(ctx, j.m, l); err != nil {
		return nil, fmt.Errorf("restore of backup %s failed: %w", b.ID, err)
	}
	res.Files = len(j.m.touched())
	return res, nil
}

// restoreHead plans where HEAD goes.
func (j *job) restoreHead(ctx context.Context, b *Backup, res *Restored) (err error) {
	m := j.m
	m.from, m.fromBranch = j.st.head, j.st.branch
	if b.Head == "" {
		m.to, m.toBranch = m.from, m.fromBranch
		if m.from != "" {
			res.Note = "the backup is from before the first commit: HEAD stays where it is, files and index were restored"
		}
		return nil
	}
	m.to, m.toBranch = b.Head, b.meta.Branch
	if m.toBranch != "" && m.toBranch != m.fromBranch {
		m.toWas, err = j.resolve(ctx, m.toBranch)
	}
	return err
}

// restoreFiles saves what is there and plans which files are written, and from
// where: those that were as the index had them through the user's filters, the
// others byte for byte.
func (j *job) restoreFiles(ctx context.Context, s *scratch, b *Backup, res *Restored) error {
	now, err := j.saveBefore(ctx, b)
	if err != nil {
		return err
	}
	was, is := b.meta.Trees, now.meta.Trees
	var d [4]map[string]byte
	for i, pair := range [][2]string{{is[0], was[0]}, {was[1], was[0]}, {is[1], is[0]}, {is[2], was[2]}} {
		if d[i], err = j.diff(ctx, pair[0], pair[1]); err != nil {
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
				j.m.remove = append(j.m.remove, p)
			}
		case then && dirty && !differs: // the same bytes on disk
		case then:
			rawWork = append(rawWork, p)
		default:
			j.m.write = append(j.m.write, p)
		}
	}
	plain := j.m.write
	all = append(append(append(all, plain...), rawWork...), rawUntracked...)
	if now, err = j.clear(ctx, b, all, now); err != nil {
		return err
	}
	j.m.write = plain
	res.Backup = now.Backup
	for p, st := range now.seen {
		j.m.seen[p] = st
	}
	return j.rawSets(ctx, s, b, [2][]string{rawWork, rawUntracked})
}

// clear takes away what is in the way of files, after one more backup when
// ignored files are among it.
func (j *job) clear(ctx context.Context, b *Backup, all []string, now *saved) (*saved, error) {
	local := map[string]bool{}
	for _, c := range j.st.changes {
		local[c.path] = true
	}
	j.changed = map[string]byte{}
	known, err := j.knownIn(ctx, all)
	if err != nil {
		return nil, err
	}
	for _, p := range all {
		if !known[p] {
			j.changed[p] = 'A'
		}
	}
	j.m.write = all
	if err := j.obstacles(local); err != nil {
		return nil, err
	}
	j.m.remove = append(j.m.remove, j.away...)
	if len(j.also) == 0 {
		return now, nil
	}
	return j.saveBefore(ctx, b)
}

func (j *job) saveBefore(ctx context.Context, b *Backup) (*saved, error) {
	o := occasion{reason: "before restore of " + b.ID, also: j.also}
	if j.m.toWas != "" && j.m.toWas != j.m.from {
		o.tips = []string{j.m.toWas}
	}
	return j.save(ctx, j.st, o)
}

// rawSets prepares the indexes from which files are written byte for byte.
func (j *job) rawSets(ctx context.Context, s *scratch, b *Backup, sets [2][]string) error {
	for i, list := range sets {
		if len(list) == 0 {
			continue
		}
		f := rawFiles{scratch: s, index: s.index(), paths: list}
		if _, err := j.git(ctx, call{scratch: s, index: f.index, args: []string{"read-tree", b.meta.Trees[2*i]}}); err != nil {
			return err
		}
		j.m.raw = append(j.m.raw, f)
	}
	return nil
}

// writes reports whether the move writes a file byte for byte.
func (j *job) writes(p string) bool {
	return slices.ContainsFunc(j.m.raw, func(f rawFiles) bool { return slices.Contains(f.paths, p) })
}

// restoreIndex makes the index that is to be: the very file that was saved,
// or else one of the saved tree.
func (j *job) restoreIndex(ctx context.Context, s *scratch, b *Backup) (err error) {
	extras := b.parents[2]
	if b.Head != "" {
		extras = b.parents[3]
	}
	out, err := j.git(ctx, call{args: []string{"cat-file", "blob", extras + ":modes"}})
	if err != nil {
		return err
	}
	j.m.modes = map[string]fs.FileMode{}
	for _, l := range strings.Split(string(out), "\x00") {
		if mode, p, ok := strings.Cut(l, " "); ok && !j.isProtected(p) && j.writes(p) {
			if n, err := strconv.ParseUint(mode, 8, 9); err == nil {
				j.m.modes[p] = fs.FileMode(n)
			}
		}
	}
	if index, err := j.git(ctx, call{args: []string{"cat-file", "blob", extras + ":index"}}); err == nil {
		j.m.index = s.index()
		return os.WriteFile(j.m.index, index, 0o600)
	}
	if j.m.index, err = s.indexOf(j.Repo); err != nil {
		return err
	}
	_, err = j.git(ctx, call{index: j.m.index, args: []string{"read-tree", "--reset", b.meta.Trees[1]}})
	return err
}

package git

import (
	"context"
	"crypto/sha1" //nolint:gosec // git's own checksum
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"os"
	"path/filepath"
)

// repaired is what git/repair found and did.
type repaired struct {
	done   []string
	backup *Backup
}

// repair sets right what keeps git from working here: a sync that died in the
// middle, a lock that a dead process left, an index that cannot be read.
// Nothing else is touched, and the content of the work tree is saved first.
func (r *Repo) repair(ctx context.Context) (*repaired, error) {
	res := &repaired{}
	for _, u := range r.leftovers() {
		res.done = append(res.done, "took back a sync that had died: "+filepath.Base(u.dir))
	}
	if err := r.recover(ctx, true); err != nil {
		return res, err
	}
	lockFile := filepath.Join(r.gitDir, "index.lock")
	if _, err := os.Lstat(lockFile); err == nil {
		res.done = append(res.done, "removed "+lockFile)
	}
	l, err := r.lockIndex(ctx, true)
	if err != nil {
		return res, err
	}
	defer func() { l.release() }()
	if bad := r.indexProblem(); bad != "" {
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
	bad := r.indexProblem()
	if bad == "" {
		return nil
	}
	if !repair {
		return fmt.Errorf("the index of %s %s: git/repair rebuilds it", r.top, bad)
	}
	l, err := r.lockIndex(ctx, true)
	if err != nil {
		return err
	}
	defer func() { l.release() }()
	b, err := r.rebuildIndex(ctx, &l)
	if err == nil {
		r.say("rebuilt the index, which %s; the content of the work tree is in backup %s", bad, b.ID)
	}
	return err
}

// indexProblem says what is wrong with the index file; "" when its checksum is
// right.
func (r *Repo) indexProblem() string {
	b, err := os.ReadFile(filepath.Join(r.gitDir, "index"))
	if errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	if err != nil {
		return "cannot be read"
	}
	var sum hash.Hash = sha1.New() //nolint:gosec // git's own checksum
	if r.objects == "sha256" {
		sum = sha256.New()
	}
	n := len(b) - sum.Size()
	if n < 12 || string(b[:4]) != "DIRC" {
		return "is damaged"
	}
	if v := binary.BigEndian.Uint32(b[4:]); v < 2 || v > 4 {
		return "has a version that git does not know"
	}
	sum.Write(b[:n])
	none := make([]byte, sum.Size()) // index.skipHash
	if is := string(b[n:]); is != string(sum.Sum(nil)) && is != string(none) {
		return "is damaged"
	}
	return ""
}

// rebuildIndex makes the index anew from HEAD, after a backup of the work
// tree and of the damaged file. It touches the index alone.
func (r *Repo) rebuildIndex(ctx context.Context, l **lock) (*Backup, error) {
	s, err := r.scratch()
	if err != nil {
		return nil, err
	}
	defer s.close()
	head, err := r.resolve(ctx, "HEAD")
	if err != nil {
		return nil, err
	}
	index := s.index()
	args := []string{"read-tree", "--empty"}
	if head != "" {
		args = []string{"read-tree", head}
	}
	if _, err := r.git(ctx, call{index: index, args: args}); err != nil {
		return nil, fmt.Errorf("the index cannot be rebuilt: %w", err)
	}
	// Exit code 1 says that there are changes, which is no failure.
	if _, err := r.git(ctx, call{index: index, plain: true, args: []string{"update-index", "-q", "--refresh"}}); err != nil && exitCode(err) != 1 {
		return nil, err
	}
	st, err := r.status(ctx, index)
	if err != nil {
		return nil, err
	}
	b, err := r.save(ctx, st, occasion{reason: "repair of the index", corrupt: true})
	if err != nil {
		return nil, err
	}
	if err := (*l).publish(index); err != nil {
		return nil, err
	}
	*l, err = r.lockIndex(ctx, false)
	if err != nil {
		*l = &lock{}
		return nil, err
	}
	return &b.Backup, nil
}

// recover takes back moves whose process died in the middle.
func (r *Repo) recover(ctx context.Context, repair bool) error {
	left := r.leftovers()
	if len(left) == 0 {
		return nil
	}
	if !repair {
		return fmt.Errorf("an earlier sync of %s died in the middle: git/repair takes it back", r.top)
	}
	for _, u := range left {
		if err := r.takeBack(ctx, u); err != nil {
			return err
		}
	}
	return nil
}

func (r *Repo) takeBack(ctx context.Context, u *undo) error {
	head, branch, err := r.heads(ctx)
	if err != nil {
		return err
	}
	n := u.note
	switch {
	case head == n.To && n.To != n.Head:
		r.say("an earlier sync had done its work when its process died")
		return os.RemoveAll(u.dir)
	case head != n.Head || branch != n.Branch:
		r.say("an earlier sync died in the middle, and HEAD was moved since: what it had put aside lies in %s", u.dir)
		return os.Rename(u.dir, filepath.Join(filepath.Dir(u.dir), "old-"+filepath.Base(u.dir)))
	}
	l, err := r.lockIndex(ctx, true)
	if err != nil {
		return err
	}
	defer l.release()
	// Somebody may have worked here since.
	id := "none: the index cannot be read"
	if st, err := r.status(ctx, ""); err == nil {
		b, err := r.save(ctx, st, occasion{reason: "before an interrupted sync was taken back"})
		if err != nil {
			return err
		}
		id = b.ID
	}
	if err := r.roll(u); err != nil {
		return err
	}
	r.say("an earlier sync died in the middle: everything is as it was before it (what lay here is in backup %s)", id)
	return nil
}

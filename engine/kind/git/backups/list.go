package backups

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/kind/git/worktree"
)

// Backups lists the backups of a repository, the newest first; with verify,
// every object of each is read and its checksum compared.
func (r *Repo) Backups(ctx context.Context, verify bool) ([]Backup, error) {
	out, err := r.Git(ctx, worktree.Call{Args: []string{"for-each-ref", "--format=%(refname)%00%(objectname)%00%(parent)%00%(contents:body)%00", BackupRefs}})
	if err != nil {
		return nil, err
	}
	list := []Backup{}
	f := strings.Split(string(out), "\x00")
	for ; len(f) >= 4; f = f[4:] {
		id := strings.TrimPrefix(strings.TrimSpace(f[0]), BackupRefs)
		if _, err := time.Parse(idForm, id); err != nil {
			continue // a ref of somebody else's
		}
		var m Meta
		err := json.Unmarshal([]byte(f[3]), &m)
		b := backupOf(m, id, f[1])
		b.Parents = strings.Fields(f[2])
		if err != nil || m.Version != 1 {
			b.Problem = "it was not written by this version of redundctl"
		} else if verify {
			if err := r.Verify(ctx, &b, false); err != nil {
				if ctx.Err() != nil {
					return nil, context.Cause(ctx)
				}
				b.Problem = err.Error()
			}
			b.Verified = b.Problem == ""
		}
		list = append(list, b)
	}
	slices.SortFunc(list, func(a, b Backup) int { return strings.Compare(b.ID, a.ID) })
	return list, nil
}

// Retention says how many backups stay, and for how long. Zero: no limit.
type Retention = kind.Retention

// Prune removes the backups that are neither among the newest rt.Keep nor younger
// than rt.MaxAge, and returns them. The newest one always stays. A dry one
// removes nothing.
func (r *Repo) Prune(ctx context.Context, rt Retention, dry bool) ([]Backup, error) {
	all, err := r.Backups(ctx, false)
	if err != nil {
		return nil, err
	}
	gone := []Backup{}
	var in strings.Builder
	for i, b := range all {
		stays := i == 0 || i < rt.Keep || rt.MaxAge > 0 && r.Now().Sub(b.At) <= rt.MaxAge
		if !stays && (rt.Keep > 0 || rt.MaxAge > 0) {
			gone = append(gone, b)
			fmt.Fprintf(&in, "delete %s%s %s\n", BackupRefs, b.ID, b.Commit)
		}
	}
	if len(gone) > 0 && !dry {
		if _, err := r.Git(ctx, worktree.Call{Stdin: []byte(in.String()), Args: []string{"update-ref", "--stdin"}}); err != nil {
			return nil, err
		}
	}
	return gone, nil
}

// Find is the backup of an id, which may be shortened.
func (r *Repo) Find(ctx context.Context, id string) (*Backup, error) {
	all, err := r.Backups(ctx, false)
	if err != nil {
		return nil, err
	}
	var hit []Backup
	for _, b := range all {
		if b.ID == id {
			return &b, nil
		}
		if id != "" && strings.HasPrefix(b.ID, id) {
			hit = append(hit, b)
		}
	}
	switch {
	case len(hit) == 1:
		return &hit[0], nil
	case len(hit) > 1:
		return nil, fmt.Errorf("%d backups begin with %q: give the whole id, as %s", len(hit), id, hit[0].ID)
	case len(all) == 0:
		return nil, fmt.Errorf("there is no backup %q: %s has none", id, r.Top)
	}
	return nil, fmt.Errorf("there is no backup %q; the newest is %s", id, all[0].ID)
}

// Package backups saves states of a work tree as commits under
// refs/redund/backups, reads them back, and removes old ones. Making one changes
// nothing else.
package backups

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/kind/git/worktree"
)

// Repo is a work tree whose states can be saved.
type Repo struct{ *worktree.Repo }

// BackupRefs is where backups are kept. Nothing of ours ever pushes it.
const BackupRefs = "refs/redund/backups/"

// idForm is the time of a backup as its id; ids sort by age.
const idForm = "20060102T150405.000Z"

// identity makes the commits of backups: they are nobody's work.
const identity = "redundctl <redundctl@localhost>"

// Backup is one saved state of a work tree: a commit whose tree is the tracked
// files as they lay on disk and whose parents are, in this order, HEAD (when
// there was one), a commit of the index, one of the untracked files, one of
// the index file itself, and the tips of branches that would have lost
// commits.
type Backup struct {
	ID        string    `json:"id"`
	At        time.Time `json:"at"`
	Commit    string    `json:"commit"`
	Branch    string    `json:"branch"` // "" when HEAD was detached
	Head      string    `json:"head"`   // "" when there was no commit yet
	Reason    string    `json:"reason"`
	WorkTree  string    `json:"work-tree"`
	Staged    int       `json:"staged"` // files
	Unstaged  int       `json:"unstaged"`
	Untracked int       `json:"untracked"`
	Commits   int       `json:"commits"` // that the remote did not have
	Verified  bool      `json:"verified"`
	Problem   string    `json:"problem"` // why it is not readable, when that was asked
	Reused    bool      `json:"-"`       // it was there before, with the same content

	Parents []string `json:"-"`
	Meta    Meta     `json:"-"`
}

// Meta is kept in the message of a backup's commit.
type Meta struct {
	Version   int       `json:"version"`
	Reason    string    `json:"reason"`
	Branch    string    `json:"branch"`
	Head      string    `json:"head"`
	WorkTree  string    `json:"work-tree"`
	Staged    int       `json:"staged"`
	Unstaged  int       `json:"unstaged"`
	Untracked int       `json:"untracked"`
	Commits   int       `json:"commits"`
	Base      string    `json:"base"`  // what the remote had: commits before it are not the backup's own
	Trees     [3]string `json:"trees"` // work tree, index, untracked
}

// Occasion is why and of what a backup is made.
type Occasion struct {
	Reason  string
	Base    string   // commit that is safe elsewhere; "" none
	Tips    []string // more commits to keep
	Also    []string // ignored or flagged paths that are about to be replaced
	Commits int      // how many commits base lacks
	Corrupt bool     // the index cannot be read: st was made with that of HEAD
	covered bool     // the index holds something protected: it is not kept as a file
}

// Saved is a backup with the look of the files that went into it.
type Saved struct {
	Backup
	Seen map[string]worktree.Stamp
}

// Save makes a verified backup and changes nothing else.
func (r *Repo) Save(ctx context.Context, st *worktree.Status, o Occasion) (*Saved, error) {
	s, err := r.Scratch()
	if err != nil {
		return nil, err
	}
	defer s.Close()
	files, tracked := append([]string{}, st.Untracked...), st.Dirty()
	known, err := r.KnownIn(ctx, o.Also)
	if err != nil {
		return nil, err
	}
	for _, p := range o.Also {
		if known[p] {
			tracked = append(tracked, p)
		} else {
			files = append(files, p)
		}
	}
	o.covered = st.Covered
	b := &Saved{Seen: map[string]worktree.Stamp{}}
	var trees [3]string
	for try := 0; ; try++ {
		for _, p := range append(append([]string{}, files...), tracked...) {
			b.Seen[p] = r.Look(p)
		}
		if trees, err = r.trees(ctx, s, st, content{tracked: tracked, files: files, corrupt: o.Corrupt}); err != nil {
			return nil, fmt.Errorf("no backup could be made, so nothing was changed: %w", err)
		}
		p, same := r.unchanged(b.Seen)
		if same {
			break
		}
		if try == 2 {
			return nil, fmt.Errorf("no backup could be made, so nothing was changed: %s is being written", worktree.Show(p))
		}
	}
	m := Meta{Version: 1, Reason: o.Reason, Branch: st.Branch, Head: st.Head, WorkTree: strings.ToValidUTF8(r.Top, "?"),
		Staged: st.Count(worktree.IsStaged), Unstaged: len(tracked), Untracked: len(files), Commits: o.Commits, Base: o.Base, Trees: trees}
	if old := r.sameAsNewest(ctx, m, o.Tips); old != nil {
		b.Backup = *old
		b.Reused, b.Meta.Base = true, o.Base
	} else if err := r.record(ctx, b, m, o); err != nil {
		return nil, fmt.Errorf("no backup could be made, so nothing was changed: %w", err)
	}
	if err := r.Verify(ctx, &b.Backup, true); err != nil {
		return nil, fmt.Errorf("backup %s cannot be read back, so nothing was changed: %w", b.ID, err)
	}
	b.Verified = true
	return b, nil
}

// unchanged finds a file that no longer looks as it did.
func (r *Repo) unchanged(seen map[string]worktree.Stamp) (string, bool) {
	for p, s := range seen {
		if r.Look(p) != s {
			return p, false
		}
	}
	return "", true
}

// KnownIn says which paths the index has.
func (r *Repo) KnownIn(ctx context.Context, list []string) (map[string]bool, error) {
	known := map[string]bool{}
	if len(list) == 0 {
		return known, nil
	}
	out, err := r.Git(ctx, worktree.Call{Args: []string{"ls-files", "-z"}})
	if err != nil {
		return nil, err
	}
	for _, p := range strings.Split(string(out), "\x00") {
		known[p] = true
	}
	return known, nil
}

// content is what goes into a backup beside what objects hold already.
type content struct {
	tracked []string // paths of the index whose files differ from it
	files   []string // others
	corrupt bool
}

// trees writes the three trees of a backup: work tree, index, untracked.
func (r *Repo) trees(ctx context.Context, s *worktree.Scratch, st *worktree.Status, c content) (t [3]string, err error) {
	index, err := r.indexTree(ctx, s, st, c.corrupt)
	if err != nil {
		return t, err
	}
	work := index
	if len(c.tracked) > 0 {
		if work, err = r.addRaw(ctx, s, index, c.tracked); err != nil {
			return t, err
		}
	}
	untracked, err := r.addRaw(ctx, s, "", c.files)
	return [3]string{work, index, untracked}, err
}

// indexTree writes the tree of the index as it is. Unmerged paths, of which a
// tree cannot hold three, and protected ones are as in HEAD: the first are
// kept whole in the copy of the index file.
func (r *Repo) indexTree(ctx context.Context, s *worktree.Scratch, st *worktree.Status, corrupt bool) (string, error) {
	if corrupt {
		if st.Head == "" {
			return r.addRaw(ctx, s, "", nil)
		}
		return r.Text(ctx, "rev-parse", "--verify", st.Head+"^{tree}")
	}
	index, err := s.IndexOf(r.Repo)
	if err != nil {
		return "", err
	}
	var asHead []string
	for _, c := range st.Changes {
		if worktree.IsUnmerged(c) {
			asHead = append(asHead, c.Path)
		}
	}
	if st.Covered {
		asHead = append(asHead, r.Shielded...)
	}
	if len(asHead) > 0 {
		if err := r.likeHead(ctx, index, st.Head, asHead); err != nil {
			return "", err
		}
	}
	out, err := r.Git(ctx, worktree.Call{Index: index, Args: []string{"write-tree"}})
	return strings.TrimSpace(string(out)), err
}

// likeHead sets paths (or what lies below them) in an index to what HEAD has.
func (r *Repo) likeHead(ctx context.Context, index, head string, list []string) error {
	args := []string{"reset", "-q", head}
	if head == "" {
		args = []string{"rm", "--cached", "-r", "-q", "-f", "--ignore-unmatch"}
	}
	_, err := r.Git(ctx, worktree.Call{Index: index, Plain: true, Stdin: worktree.Paths(list), Env: []string{"GIT_LITERAL_PATHSPECS=1"},
		Args: append(args, "--pathspec-from-file=-", "--pathspec-file-nul")})
	return err
}

// addRaw writes a tree: base ("" the empty one) with the files of list as they
// lie on disk.
func (r *Repo) addRaw(ctx context.Context, s *worktree.Scratch, base string, list []string) (string, error) {
	index := s.Index()
	steps := []worktree.Call{}
	if base != "" {
		steps = append(steps, worktree.Call{Args: []string{"read-tree", base}})
	}
	if len(list) > 0 {
		steps = append(steps, worktree.Call{Stdin: worktree.Paths(list), Args: []string{"update-index", "-z", "--add", "--remove", "--replace", "--stdin"}})
	}
	steps = append(steps, worktree.Call{Args: []string{"write-tree"}})
	var out []byte
	for _, c := range steps {
		c.Scratch, c.Index = s, index
		var err error
		if out, err = r.Git(ctx, c); err != nil {
			return "", err
		}
	}
	return strings.TrimSpace(string(out)), nil
}

// sameAsNewest finds out whether the newest backup holds exactly this.
func (r *Repo) sameAsNewest(ctx context.Context, m Meta, tips []string) *Backup {
	all, err := r.Backups(ctx, false)
	if err != nil || len(all) == 0 {
		return nil
	}
	b, n := all[0], 3
	if m.Head != "" {
		n++
	}
	o := b.Meta
	if o.Trees != m.Trees || o.Head != m.Head || o.Branch != m.Branch || o.WorkTree != m.WorkTree || len(b.Parents) != n+len(tips) {
		return nil
	}
	for i, t := range tips {
		if b.Parents[n+i] != t {
			return nil
		}
	}
	return &b
}

// record writes the commits and the ref of a backup with one process.
func (r *Repo) record(ctx context.Context, b *Saved, m Meta, o Occasion) error {
	at := r.Now().UTC().Truncate(time.Millisecond)
	for {
		// Two backups in one millisecond: the second gets the next.
		if _, err := r.Git(ctx, worktree.Call{Args: []string{"rev-parse", "--verify", "-q", BackupRefs + at.Format(idForm)}}); err != nil {
			break
		}
		at = at.Add(time.Millisecond)
	}
	id := at.Format(idForm)
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	ref := BackupRefs + id
	var in bytes.Buffer
	commit := func(mark int, message string, parents []string, tree string) {
		fmt.Fprintf(&in, "reset %s\ncommit %s\nmark :%d\ncommitter %s %d +0000\n", ref, ref, mark, identity, at.Unix())
		data(&in, []byte(message))
		for i, p := range parents {
			if i == 0 {
				fmt.Fprintf(&in, "from %s\n", p)
			} else {
				fmt.Fprintf(&in, "merge %s\n", p)
			}
		}
		if tree != "" {
			fmt.Fprintf(&in, "M 040000 %s \n", tree)
		}
	}
	commit(1, "index\n", nil, m.Trees[1])
	commit(2, "untracked\n", nil, m.Trees[2])
	commit(3, "state\n", nil, "")
	for name, content := range r.extras(b, m, o) {
		fmt.Fprintf(&in, "M 100644 inline %s\n", name)
		data(&in, content)
	}
	parents := []string{":1", ":2", ":3"}
	if m.Head != "" {
		parents = append([]string{m.Head}, parents...)
	}
	commit(4, "redundctl backup "+id+"\n\n"+string(text)+"\n", append(parents, o.Tips...), m.Trees[0])
	in.WriteString("get-mark :1\nget-mark :2\nget-mark :3\nget-mark :4\ndone\n")
	out, err := r.Git(ctx, worktree.Call{Stdin: in.Bytes(), Args: []string{"fast-import", "--quiet", "--done", "--date-format=raw"}})
	if err != nil {
		return err
	}
	marks := strings.Fields(string(out))
	if len(marks) != 4 {
		return errors.New("git fast-import did not say what it wrote")
	}
	b.Backup = backupOf(m, id, marks[3])
	b.Parents = append(marks[:3:3], o.Tips...)
	if m.Head != "" {
		b.Parents = append([]string{m.Head}, b.Parents...)
	}
	return nil
}

func data(w *bytes.Buffer, b []byte) {
	fmt.Fprintf(w, "data %d\n%s\n", len(b), b)
}

// extras are what no tree of git's holds: the index file byte for byte, with
// its flags and conflicts, and the permissions of files that are not just
// 644 or 755.
func (r *Repo) extras(b *Saved, m Meta, o Occasion) map[string][]byte {
	out := map[string][]byte{}
	shared, _ := filepath.Glob(filepath.Join(r.GitDir, "sharedindex.*"))
	if index, err := os.ReadFile(filepath.Join(r.GitDir, "index")); err == nil && len(shared) == 0 && !o.covered {
		name := "index"
		if o.Corrupt {
			name = "index-corrupt"
		}
		out[name] = index
	}
	var modes bytes.Buffer
	for p, s := range b.Seen {
		if perm := s.Mode.Perm(); s.There && s.Mode.IsRegular() && perm != 0o644 && perm != 0o755 {
			fmt.Fprintf(&modes, "%o %s\x00", perm, p)
		}
	}
	out["modes"] = modes.Bytes()
	return out
}

func backupOf(m Meta, id, commit string) Backup {
	at, _ := time.Parse(idForm, id)
	return Backup{ID: id, At: at, Commit: commit, Branch: strings.TrimPrefix(m.Branch, "refs/heads/"), Head: m.Head, Reason: m.Reason, WorkTree: m.WorkTree,
		Staged: m.Staged, Unstaged: m.Unstaged, Untracked: m.Untracked, Commits: m.Commits, Meta: m}
}

// Make makes a backup of the present state, or finds the newest one when that
// holds all of it. It changes nothing else.
func (r *Repo) Make(ctx context.Context, reason string) (*Backup, error) {
	st, err := r.Status(ctx, "")
	if err != nil {
		if bad := r.IndexProblem(); bad != "" {
			err = fmt.Errorf("the index of %s %s: git/repair rebuilds it", r.Top, bad)
		}
		return nil, err
	}
	b, err := r.Save(ctx, st, Occasion{Reason: reason})
	if err != nil {
		return nil, err
	}
	return &b.Backup, nil
}

// Summary says in a few words what a backup holds.
func (b *Backup) Summary() string {
	return fmt.Sprintf("%s, %d staged, %d unstaged, %s, %s of its own",
		(&worktree.Status{Head: b.Head, Branch: b.Meta.Branch}).Where(), b.Staged, b.Unstaged, diag.Count(b.Untracked, "untracked file"), diag.Count(b.Commits, "commit"))
}

package git

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/kind/git/backups"
	"github.com/redundctl/redundctl/engine/kind/git/worktree"
)

// syncWith is `with` of git/sync.
type syncWith struct {
	Directory string `json:"directory"`
	Remote    string `json:"remote"`
	Branch    string `json:"branch"`
	Strategy  string `json:"strategy"`
	Clean     bool   `json:"clean"`
	GC        bool   `json:"gc"`
	Push      bool   `json:"push"`
	Backup    bool   `json:"backup"`
	Repair    bool   `json:"repair"`
}

const (
	hardreset = "hardreset"
	merge     = "merge"
	rebase    = "rebase"
)

// synced is what a sync did.
type synced struct {
	before, after string
	ahead, behind int // before
	backup        *backups.Backup
	dropped       []string // commits that only the work tree had, and that it has no longer
	files         int
}

// job is one sync on its way.
type job struct {
	*Repo
	w       syncWith
	t       worktree.Target
	m       *worktree.Move
	res     *synced
	tip     string          // of the local branch that is synced
	changed map[string]byte // from HEAD to m.to
	st      *worktree.Status
	also    []string // ignored files that are in the way
	away    []string // untracked files that go
	assumed []string // files assumed to be unchanged that change
}

// sync brings the work tree to its remote, or leaves everything as it was.
func (r *Repo) sync(ctx context.Context, w syncWith) (*synced, error) {
	j := &job{Repo: r, w: w, res: &synced{}, m: &worktree.Move{Seen: map[string]worktree.Stamp{}, Reason: "sync " + w.Strategy}}
	if err := j.begin(ctx); err != nil {
		return j.res, err
	}
	if err := r.Fetch(ctx, &j.t); err != nil {
		return j.res, err
	}
	if err := j.aim(ctx); err != nil {
		return j.res, err
	}
	if err := j.act(ctx); err != nil {
		return j.res, err
	}
	j.report()
	if w.Push && j.m.To != j.t.Oid {
		if err := r.Push(ctx, j.t, j.m.To); err != nil {
			return j.res, err
		}
		r.Say("pushed %s to %s", worktree.Short(j.m.To), j.t)
	}
	if w.GC {
		if _, err := r.Git(ctx, worktree.Call{Args: []string{"gc", "--quiet"}}); err != nil {
			return j.res, fmt.Errorf("the work tree is synced, but git gc failed: %w", err)
		}
	}
	return j.res, nil
}

// begin sets right what an earlier run left, and finds where HEAD is and what
// it is to be brought to.
func (j *job) begin(ctx context.Context) (err error) {
	if err := j.Unfinished(); err != nil {
		return err
	}
	if err := j.recover(ctx, j.w.Repair); err != nil {
		return err
	}
	if err := j.mend(ctx, j.w.Repair); err != nil {
		return err
	}
	return j.locate(ctx)
}

func (j *job) locate(ctx context.Context) (err error) {
	m := j.m
	if m.From, m.FromBranch, err = j.Heads(ctx); err != nil {
		return err
	}
	if j.t, err = j.Target(j.w.Remote, j.w.Branch, m.FromBranch); err != nil {
		return err
	}
	m.ToBranch, j.tip, j.res.before = j.t.Ref(), m.From, m.From
	if m.ToBranch != m.FromBranch {
		if j.w.Strategy != hardreset {
			return fmt.Errorf("%s is on %s, not on %s, which is to be synced by %s: check it out, or set `branch`",
				j.Top, (&worktree.Status{Head: m.From, Branch: m.FromBranch}).Where(), j.t.Branch, j.w.Strategy)
		}
		if m.ToWas, err = j.Resolve(ctx, m.ToBranch); err != nil {
			return err
		}
		j.tip = m.ToWas
	}
	return nil
}

// aim finds the commit that HEAD is to be at.
func (j *job) aim(ctx context.Context) (err error) {
	if j.res.ahead, j.res.behind, err = j.Apart(ctx, j.tip, j.t.Oid); err != nil {
		return err
	}
	switch {
	case j.w.Strategy == hardreset || j.tip == "" || j.res.ahead == 0:
		j.m.To = j.t.Oid
	case j.res.behind == 0:
		j.m.To = j.tip
	case j.w.Strategy == merge:
		j.m.To, err = j.merged(ctx)
	default:
		j.m.To, err = j.rebased(ctx)
	}
	if err != nil {
		return err
	}
	if j.w.Strategy != merge && j.m.To != j.tip && j.res.ahead > 0 {
		if j.res.dropped, err = j.Commits(ctx, j.tip, j.m.To, 100); err != nil {
			return err
		}
	}
	if j.m.FromBranch == "" && j.m.From != "" && j.m.From != j.tip {
		// No branch holds what was committed on a detached HEAD.
		n, _, err := j.Apart(ctx, j.m.From, j.t.Oid)
		if err != nil {
			return err
		}
		loose, err := j.Commits(ctx, j.m.From, j.t.Oid, 100)
		if err != nil {
			return err
		}
		j.res.ahead, j.res.dropped = j.res.ahead+n, append(j.res.dropped, loose...)
	}
	j.changed, err = j.Diff(ctx, j.m.From, j.m.To)
	return err
}

// act changes the work tree, under the lock of the index.
func (j *job) act(ctx context.Context) error {
	l, err := j.LockIndex(ctx, j.w.Repair)
	if err != nil {
		return err
	}
	defer l.Release()
	for p := range j.changed {
		j.m.Seen[p] = j.Look(p)
	}
	if j.st, err = j.Status(ctx, ""); err != nil {
		return err
	}
	if j.st.Head != j.m.From || j.st.Branch != j.m.FromBranch {
		return fmt.Errorf("HEAD of %s was moved while it was synced: run it again", j.Top)
	}
	if j.w.Strategy == hardreset {
		err = j.discard(ctx)
	} else {
		err = j.carry(ctx)
	}
	if err != nil {
		return err
	}
	if err := j.secure(ctx); err != nil {
		return err
	}
	j.res.after, j.res.files = j.m.To, len(j.m.Touched())
	if j.idle() {
		return nil
	}
	s, err := j.Scratch()
	if err != nil {
		return err
	}
	defer s.Close()
	if err := j.newIndex(ctx, s); err != nil {
		return err
	}
	if err := j.Apply(ctx, j.m, l); err != nil {
		j.res.after = j.res.before
		return fmt.Errorf("%s failed: %w", j.w.Strategy, err)
	}
	return nil
}

func (j *job) idle() bool {
	staged := j.w.Strategy == hardreset && j.st.Count(worktree.IsStaged) > 0
	return j.m.To == j.m.From && j.m.ToBranch == j.m.FromBranch && len(j.m.Touched()) == 0 && !staged
}

// discard plans a hard reset: every tracked file as the remote has it.
func (j *job) discard(ctx context.Context) error {
	local := map[string]bool{}
	for _, c := range j.st.Changes {
		local[c.Path] = true
		if _, ok := j.changed[c.Path]; ok {
			continue
		}
		in := c.Head != worktree.NoMode
		if worktree.IsUnmerged(c) {
			out, err := j.Git(ctx, worktree.Call{Env: []string{"GIT_LITERAL_PATHSPECS=1"}, Args: []string{"ls-tree", "-z", "--full-tree", j.m.To, c.Path}})
			if err != nil {
				return err
			}
			in = len(out) > 0
		}
		if in {
			j.m.Write = append(j.m.Write, c.Path)
		} else {
			j.m.Remove = append(j.m.Remove, c.Path)
		}
	}
	j.follow()
	if err := j.obstacles(local); err != nil {
		return err
	}
	if j.w.Clean {
		j.away = j.st.Untracked
	}
	written := map[string]bool{}
	for _, p := range j.m.Write {
		written[p] = true
	}
	for _, p := range j.away {
		if !written[p] {
			j.m.Remove = append(j.m.Remove, p)
		}
	}
	return nil
}

// carry plans a merge or a rebase: local changes stay, and what would have to
// overwrite one of them is refused.
func (j *job) carry(ctx context.Context) error {
	if len(j.changed) == 0 {
		return nil
	}
	var hit []string
	local := map[string]bool{}
	for _, c := range j.st.Changes {
		local[c.Path] = true
		if _, ok := j.changed[c.Path]; ok || worktree.IsUnmerged(c) {
			hit = append(hit, c.Path)
		}
	}
	for _, p := range j.st.Untracked {
		if _, ok := j.changed[p]; ok {
			hit = append(hit, p)
		}
	}
	j.follow()
	if err := j.obstacles(local); err != nil {
		return err
	}
	if hit = append(hit, j.away...); len(hit) > 0 {
		return fmt.Errorf("%s would overwrite local changes of %s: commit them, or use strategy: hardreset, which saves them first",
			j.w.Strategy, listed(hit))
	}
	return nil
}

// follow plans what differs between HEAD and the commit to come.
func (j *job) follow() {
	for p, kind := range j.changed {
		if kind == 'D' {
			j.m.Remove = append(j.m.Remove, p)
		} else {
			j.m.Write = append(j.m.Write, p)
		}
	}
}

// obstacles finds what stands where files are to be: untracked files go away
// (they are saved), ignored ones are saved as well.
func (j *job) obstacles(local map[string]bool) error {
	untracked, going := map[string]bool{}, map[string]bool{}
	for _, p := range j.st.Untracked {
		untracked[p] = true
	}
	for _, p := range j.m.Remove {
		going[p] = true
	}
	block := func(p string) error {
		switch {
		case going[p]:
			return nil
		case j.IsProtected(p):
			return fmt.Errorf("a protected file stands in the way of what the remote has: %s", worktree.DirOf(p))
		case local[p] || untracked[p]:
		default:
			j.also = append(j.also, p)
		}
		going[p] = true
		j.away = append(j.away, p)
		return nil
	}
	checked := map[string]bool{}
	for _, p := range j.m.Write {
		for d := worktree.DirOf(p); d != "" && !checked[d]; d = worktree.DirOf(d) {
			checked[d] = true
			if s := j.Look(d); s.There && !s.Dir() {
				if err := block(d); err != nil {
					return err
				}
			}
		}
		s := j.Look(p)
		switch {
		case s.Dir():
			if err := j.inside(p, block); err != nil {
				return err
			}
		case s.There && j.changed[p] == 'A' && !local[p] && !untracked[p]:
			j.also = append(j.also, p)
		}
	}
	return nil
}

// inside calls block for every file in a folder.
func (j *job) inside(dir string, block func(string) error) error {
	return filepath.WalkDir(j.Abs(dir), func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.Name() == ".git" {
			return fmt.Errorf("a repository stands in the way of what the remote has: %s", worktree.Show(dir))
		}
		if d.IsDir() {
			return nil
		}
		rel, err := filepath.Rel(j.Top, p)
		if err != nil {
			return err
		}
		return block(filepath.ToSlash(rel))
	})
}

// secure makes the backup, when there is anything that only this work tree
// has.
func (j *job) secure(ctx context.Context) error {
	moves := j.m.To != j.m.From || j.m.ToBranch != j.m.FromBranch
	loses := len(j.m.Remove) > 0 && len(j.away) > 0 || len(j.also) > 0 || j.w.Strategy == hardreset && len(j.st.Changes) > 0
	flagged, err := j.flagged(ctx)
	if err != nil {
		return err
	}
	if !moves && !loses || j.st.Clean() && j.res.ahead == 0 && len(j.also) == 0 && len(flagged) == 0 {
		return nil
	}
	if !j.w.Backup {
		if len(j.away) > 0 || len(j.also) > 0 {
			return fmt.Errorf("%s would be lost without a backup: set backup: true, or move it away", listed(append(j.away, j.also...)))
		}
		return nil
	}
	o := backups.Occasion{Reason: "sync " + j.w.Strategy + " to " + worktree.MaskURL(j.t.String()), Base: j.t.Oid, Also: append(j.also, flagged...), Commits: j.res.ahead}
	if j.tip != "" && j.tip != j.m.From {
		o.Tips = []string{j.tip}
	}
	b, err := j.Save(ctx, j.st, o)
	if err != nil {
		return err
	}
	j.res.backup = &b.Backup
	for p, s := range b.Seen {
		if was, ok := j.m.Seen[p]; ok && was != s {
			return fmt.Errorf("%s was written while the work tree was being read: run it again", worktree.Show(p))
		}
		j.m.Seen[p] = s
	}
	return nil
}

// flagged are the files that git is told to overlook and that are about to
// change: their content may be anything.
func (j *job) flagged(ctx context.Context) ([]string, error) {
	if len(j.changed) == 0 {
		return nil, nil
	}
	flags, err := j.Flags(ctx, "")
	if err != nil || len(flags) == 0 {
		return nil, err
	}
	var out []string
	for p := range j.changed {
		if flags[p] != 0 && j.Look(p).There {
			out = append(out, p)
			if flags[p] >= 'a' {
				j.assumed = append(j.assumed, p)
			}
		}
	}
	return out, nil
}

// emptyTree is the name of the tree without files, which git always knows.
func (r *Repo) emptyTree() string {
	if r.Objects == "sha256" {
		return "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321"
	}
	return "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
}

// newIndex makes the index that is to be.
func (j *job) newIndex(ctx context.Context, s *worktree.Scratch) (err error) {
	if j.m.Index, err = s.IndexOf(j.Repo.Repo.Repo); err != nil {
		return err
	}
	if len(j.assumed) > 0 {
		if _, err := j.Git(ctx, worktree.Call{Index: j.m.Index, Stdin: worktree.Paths(j.assumed), Args: []string{"update-index", "-z", "--no-assume-unchanged", "--stdin"}}); err != nil {
			return err
		}
	}
	args := []string{"read-tree", "--reset", j.m.To}
	if j.w.Strategy != hardreset {
		from := j.m.From
		if from == "" {
			from = j.emptyTree()
		}
		args = []string{"read-tree", "-i", "-m", from, j.m.To}
	}
	_, err = j.Git(ctx, worktree.Call{Index: j.m.Index, Args: args})
	return err
}

// report says what moved from where to where, and what went.
func (j *job) report() {
	r, res := j.Repo, j.res
	saved := ""
	if res.backup != nil {
		saved = "; saved in backup " + res.backup.ID
	}
	switch {
	case j.idle():
		r.Say("%s is at %s already (%s)", j.t.Branch, j.t, worktree.Short(res.after))
	case res.before == res.after:
		r.Say("%s stays at %s; local changes of %s were discarded%s", j.t.Branch, worktree.Short(res.after), diag.Count(res.files, "file"), saved)
	default:
		from := "nothing"
		if res.before != "" {
			from = worktree.Short(res.before)
		}
		r.Say("%s: %s moved from %s to %s (%s, %d ahead, %d behind), %s%s", j.w.Strategy, j.t.Branch, from, worktree.Short(res.after), j.t, res.ahead, res.behind, diag.Count(res.files, "file"), saved)
	}
	for i, c := range res.dropped {
		if i == 20 {
			r.Say("  and %s more", diag.Count(max(res.ahead, len(res.dropped))-i, "commit"))
			break
		}
		r.Say("  dropped %s%s", worktree.Short(c[:strings.IndexByte(c+" ", ' ')])+c[strings.IndexByte(c+" ", ' '):], saved)
	}
	if len(j.st.Nested) > 0 && j.w.Clean && j.w.Strategy == hardreset {
		r.Say("left alone, being repositories of their own: %s", listed(j.st.Nested))
	}
}

// listed names some paths in one line.
func listed(list []string) string {
	var b strings.Builder
	for i, p := range list {
		if i == 5 {
			fmt.Fprintf(&b, " and %d more", len(list)-i)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(worktree.Show(p))
	}
	return b.String()
}

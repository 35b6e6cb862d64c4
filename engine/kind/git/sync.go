package git

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
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
	backup        *Backup
	dropped       []string // commits that only the work tree had, and that it has no longer
	files         int
}

// job is one sync on its way.
type job struct {
	*Repo
	w       syncWith
	t       target
	m       *move
	res     *synced
	tip     string          // of the local branch that is synced
	changed map[string]byte // from HEAD to m.to
	st      *status
	also    []string // ignored files that are in the way
	away    []string // untracked files that go
	assumed []string // files assumed to be unchanged that change
}

// sync brings the work tree to its remote, or leaves everything as it was.
func (r *Repo) sync(ctx context.Context, w syncWith) (*synced, error) {
	j := &job{Repo: r, w: w, res: &synced{}, m: &move{seen: map[string]stamp{}, reason: "sync " + w.Strategy}}
	if err := j.begin(ctx); err != nil {
		return j.res, err
	}
	if err := r.fetch(ctx, &j.t); err != nil {
		return j.res, err
	}
	if err := j.aim(ctx); err != nil {
		return j.res, err
	}
	if err := j.act(ctx); err != nil {
		return j.res, err
	}
	j.report()
	if w.Push && j.m.to != j.t.oid {
		if err := r.push(ctx, j.t, j.m.to); err != nil {
			return j.res, err
		}
		r.say("pushed %s to %s", short(j.m.to), j.t)
	}
	if w.GC {
		if _, err := r.git(ctx, call{args: []string{"gc", "--quiet"}}); err != nil {
			return j.res, fmt.Errorf("the work tree is synced, but git gc failed: %w", err)
		}
	}
	return j.res, nil
}

// begin sets right what an earlier run left, and finds where HEAD is and what
// it is to be brought to.
func (j *job) begin(ctx context.Context) (err error) {
	if err := j.unfinished(); err != nil {
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
	if m.from, m.fromBranch, err = j.heads(ctx); err != nil {
		return err
	}
	if j.t, err = j.target(j.w, m.fromBranch); err != nil {
		return err
	}
	m.toBranch, j.tip, j.res.before = j.t.ref(), m.from, m.from
	if m.toBranch != m.fromBranch {
		if j.w.Strategy != hardreset {
			return fmt.Errorf("%s is on %s, not on %s, which is to be synced by %s: check it out, or set `branch`",
				j.top, (&status{head: m.from, branch: m.fromBranch}).where(), j.t.branch, j.w.Strategy)
		}
		if m.toWas, err = j.resolve(ctx, m.toBranch); err != nil {
			return err
		}
		j.tip = m.toWas
	}
	return nil
}

// aim finds the commit that HEAD is to be at.
func (j *job) aim(ctx context.Context) (err error) {
	if j.res.ahead, j.res.behind, err = j.apart(ctx, j.tip, j.t.oid); err != nil {
		return err
	}
	switch {
	case j.w.Strategy == hardreset || j.tip == "" || j.res.ahead == 0:
		j.m.to = j.t.oid
	case j.res.behind == 0:
		j.m.to = j.tip
	case j.w.Strategy == merge:
		j.m.to, err = j.merged(ctx)
	default:
		j.m.to, err = j.rebased(ctx)
	}
	if err != nil {
		return err
	}
	if j.w.Strategy != merge && j.m.to != j.tip && j.res.ahead > 0 {
		if j.res.dropped, err = j.commits(ctx, j.tip, j.m.to, 100); err != nil {
			return err
		}
	}
	if j.m.fromBranch == "" && j.m.from != "" && j.m.from != j.tip {
		// No branch holds what was committed on a detached HEAD.
		n, _, err := j.apart(ctx, j.m.from, j.t.oid)
		if err != nil {
			return err
		}
		loose, err := j.commits(ctx, j.m.from, j.t.oid, 100)
		if err != nil {
			return err
		}
		j.res.ahead, j.res.dropped = j.res.ahead+n, append(j.res.dropped, loose...)
	}
	j.changed, err = j.diff(ctx, j.m.from, j.m.to)
	return err
}

// act changes the work tree, under the lock of the index.
func (j *job) act(ctx context.Context) error {
	l, err := j.lockIndex(ctx, j.w.Repair)
	if err != nil {
		return err
	}
	defer l.release()
	for p := range j.changed {
		j.m.seen[p] = j.look(p)
	}
	if j.st, err = j.status(ctx, ""); err != nil {
		return err
	}
	if j.st.head != j.m.from || j.st.branch != j.m.fromBranch {
		return fmt.Errorf("HEAD of %s was moved while it was synced: run it again", j.top)
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
	j.res.after, j.res.files = j.m.to, len(j.m.touched())
	if j.idle() {
		return nil
	}
	s, err := j.scratch()
	if err != nil {
		return err
	}
	defer s.close()
	if err := j.newIndex(ctx, s); err != nil {
		return err
	}
	if err := j.apply(ctx, j.m, l); err != nil {
		j.res.after = j.res.before
		return fmt.Errorf("%s failed: %w", j.w.Strategy, err)
	}
	return nil
}

func (j *job) idle() bool {
	staged := j.w.Strategy == hardreset && j.st.count(isStaged) > 0
	return j.m.to == j.m.from && j.m.toBranch == j.m.fromBranch && len(j.m.touched()) == 0 && !staged
}

// discard plans a hard reset: every tracked file as the remote has it.
func (j *job) discard(ctx context.Context) error {
	local := map[string]bool{}
	for _, c := range j.st.changes {
		local[c.path] = true
		if _, ok := j.changed[c.path]; ok {
			continue
		}
		in := c.head != noMode
		if isUnmerged(c) {
			out, err := j.git(ctx, call{env: []string{"GIT_LITERAL_PATHSPECS=1"}, args: []string{"ls-tree", "-z", "--full-tree", j.m.to, c.path}})
			if err != nil {
				return err
			}
			in = len(out) > 0
		}
		if in {
			j.m.write = append(j.m.write, c.path)
		} else {
			j.m.remove = append(j.m.remove, c.path)
		}
	}
	j.follow()
	if err := j.obstacles(local); err != nil {
		return err
	}
	if j.w.Clean {
		j.away = j.st.untracked
	}
	written := map[string]bool{}
	for _, p := range j.m.write {
		written[p] = true
	}
	for _, p := range j.away {
		if !written[p] {
			j.m.remove = append(j.m.remove, p)
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
	for _, c := range j.st.changes {
		local[c.path] = true
		if _, ok := j.changed[c.path]; ok || isUnmerged(c) {
			hit = append(hit, c.path)
		}
	}
	for _, p := range j.st.untracked {
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
			j.m.remove = append(j.m.remove, p)
		} else {
			j.m.write = append(j.m.write, p)
		}
	}
}

// obstacles finds what stands where files are to be: untracked files go away
// (they are saved), ignored ones are saved as well.
func (j *job) obstacles(local map[string]bool) error {
	untracked, going := map[string]bool{}, map[string]bool{}
	for _, p := range j.st.untracked {
		untracked[p] = true
	}
	for _, p := range j.m.remove {
		going[p] = true
	}
	block := func(p string) error {
		switch {
		case going[p]:
			return nil
		case j.isProtected(p):
			return fmt.Errorf("a protected file stands in the way of what the remote has: %s", dirOf(p))
		case local[p] || untracked[p]:
		default:
			j.also = append(j.also, p)
		}
		going[p] = true
		j.away = append(j.away, p)
		return nil
	}
	checked := map[string]bool{}
	for _, p := range j.m.write {
		for d := dirOf(p); d != "" && !checked[d]; d = dirOf(d) {
			checked[d] = true
			if s := j.look(d); s.there && !s.dir() {
				if err := block(d); err != nil {
					return err
				}
			}
		}
		s := j.look(p)
		switch {
		case s.dir():
			if err := j.inside(p, block); err != nil {
				return err
			}
		case s.there && j.changed[p] == 'A' && !local[p] && !untracked[p]:
			j.also = append(j.also, p)
		}
	}
	return nil
}

// inside calls block for every file in a folder.
func (j *job) inside(dir string, block func(string) error) error {
	return filepath.WalkDir(j.abs(dir), func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.Name() == ".git" {
			return fmt.Errorf("a repository stands in the way of what the remote has: %s", show(dir))
		}
		if d.IsDir() {
			return nil
		}
		rel, err := filepath.Rel(j.top, p)
		if err != nil {
			return err
		}
		return block(filepath.ToSlash(rel))
	})
}

// secure makes the backup, when there is anything that only this work tree
// has.
func (j *job) secure(ctx context.Context) error {
	moves := j.m.to != j.m.from || j.m.toBranch != j.m.fromBranch
	loses := len(j.m.remove) > 0 && len(j.away) > 0 || len(j.also) > 0 || j.w.Strategy == hardreset && len(j.st.changes) > 0
	flagged, err := j.flagged(ctx)
	if err != nil {
		return err
	}
	if !moves && !loses || j.st.clean() && j.res.ahead == 0 && len(j.also) == 0 && len(flagged) == 0 {
		return nil
	}
	if !j.w.Backup {
		if len(j.away) > 0 || len(j.also) > 0 {
			return fmt.Errorf("%s would be lost without a backup: set backup: true, or move it away", listed(append(j.away, j.also...)))
		}
		return nil
	}
	o := occasion{reason: "sync " + j.w.Strategy + " to " + maskURL(j.t.String()), base: j.t.oid, also: append(j.also, flagged...), commits: j.res.ahead}
	if j.tip != "" && j.tip != j.m.from {
		o.tips = []string{j.tip}
	}
	b, err := j.save(ctx, j.st, o)
	if err != nil {
		return err
	}
	j.res.backup = &b.Backup
	for p, s := range b.seen {
		if was, ok := j.m.seen[p]; ok && was != s {
			return fmt.Errorf("%s was written while the work tree was being read: run it again", show(p))
		}
		j.m.seen[p] = s
	}
	return nil
}

// flagged are the files that git is told to overlook and that are about to
// change: their content may be anything.
func (j *job) flagged(ctx context.Context) ([]string, error) {
	if len(j.changed) == 0 {
		return nil, nil
	}
	flags, err := j.flags(ctx, "")
	if err != nil || len(flags) == 0 {
		return nil, err
	}
	var out []string
	for p := range j.changed {
		if flags[p] != 0 && j.look(p).there {
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
	if r.objects == "sha256" {
		return "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321"
	}
	return "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
}

// newIndex makes the index that is to be.
func (j *job) newIndex(ctx context.Context, s *scratch) (err error) {
	if j.m.index, err = s.indexOf(j.Repo); err != nil {
		return err
	}
	if len(j.assumed) > 0 {
		if _, err := j.git(ctx, call{index: j.m.index, stdin: paths(j.assumed), args: []string{"update-index", "-z", "--no-assume-unchanged", "--stdin"}}); err != nil {
			return err
		}
	}
	args := []string{"read-tree", "--reset", j.m.to}
	if j.w.Strategy != hardreset {
		from := j.m.from
		if from == "" {
			from = j.emptyTree()
		}
		args = []string{"read-tree", "-i", "-m", from, j.m.to}
	}
	_, err = j.git(ctx, call{index: j.m.index, args: args})
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
		r.say("%s is at %s already (%s)", j.t.branch, j.t, short(res.after))
	case res.before == res.after:
		r.say("%s stays at %s; local changes of %d files were discarded%s", j.t.branch, short(res.after), res.files, saved)
	default:
		from := "nothing"
		if res.before != "" {
			from = short(res.before)
		}
		r.say("%s: %s moved from %s to %s (%s, %d ahead, %d behind), %d files%s", j.w.Strategy, j.t.branch, from, short(res.after), j.t, res.ahead, res.behind, res.files, saved)
	}
	for i, c := range res.dropped {
		if i == 20 {
			r.say("  and %d commits more", max(res.ahead, len(res.dropped))-i)
			break
		}
		r.say("  dropped %s%s", short(c[:strings.IndexByte(c+" ", ' ')])+c[strings.IndexByte(c+" ", ' '):], saved)
	}
	if len(j.st.nested) > 0 && j.w.Clean && j.w.Strategy == hardreset {
		r.say("left alone, being repositories of their own: %s", listed(j.st.nested))
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
		b.WriteString(show(p))
	}
	return b.String()
}

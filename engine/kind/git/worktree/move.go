package worktree

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// Move is a change of work tree, index and HEAD that is done whole or not at
// all.
type Move struct {
	From, FromBranch string // HEAD before; "" none, "" detached
	To, ToBranch     string // HEAD after
	ToWas            string // where toBranch stood, when it is another one

	Write  []string // to be written from index, with the user's filters
	Raw    []RawFiles
	Remove []string // to be taken away
	Index  string   // the file that becomes the index
	Modes  map[string]fs.FileMode
	Seen   map[string]Stamp // how files that go or change looked when they were saved

	list   []string
	taken  map[string]bool
	Reason string
}

// RawFiles are written byte for byte from an index of a scratch.
type RawFiles struct {
	Scratch *Scratch
	Index   string
	Paths   []string
}

// Touched are all paths of a move, each once, sorted.
func (m *Move) Touched() []string {
	if m.list == nil {
		m.taken = map[string]bool{}
		for _, p := range m.Remove {
			m.taken[p] = true
		}
		m.list = append(append(m.list, m.Remove...), m.Write...)
		for _, f := range m.Raw {
			m.list = append(m.list, f.Paths...)
		}
		slices.Sort(m.list)
		m.list = slices.Compact(m.list)
	}
	return m.list
}

func (m *Move) removes(p string) bool { return m.taken[p] }

// Apply does a move under the lock, which it uses up. When it fails, or ctx
// ends, everything is as it was.
func (r *Repo) Apply(ctx context.Context, m *Move, l *Lock) error {
	u, err := r.Prepare(m)
	if err != nil {
		return err
	}
	err = r.files(ctx, m)
	if err == nil {
		if p, bad := u.rewritten(m); bad {
			err = fmt.Errorf("%s was written at the same time", Show(p))
		}
	}
	if err == nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err == nil {
		err = l.Publish(m.Index)
	}
	if err == nil {
		err = r.moveHead(context.WithoutCancel(ctx), m)
	}
	if err == nil {
		err = os.RemoveAll(u.Dir)
		os.Remove(r.undoRoot()) // when nothing else lies in it
		return err
	}
	if e := r.Roll(u); e != nil {
		return fmt.Errorf("%w; %w", err, e)
	}
	return fmt.Errorf("%w (everything was put back as it was)", err)
}

// files changes the work tree.
func (r *Repo) files(ctx context.Context, m *Move) error {
	m.Touched()
	for _, p := range m.Remove {
		if s := r.Look(p); !s.There || s.Dir() {
			continue
		}
		if err := os.Remove(r.Abs(p)); err != nil {
			return err
		}
		// A folder that this leaves empty goes with it, as git does it.
		for d := DirOf(p); d != "" && !r.holdsProtected(d) && os.Remove(r.Abs(d)) == nil; d = DirOf(d) {
		}
	}
	for _, p := range m.Touched() {
		if !m.removes(p) {
			if err := r.makeWay(p); err != nil {
				return err
			}
		}
	}
	if err := r.checkout(ctx, Call{Index: m.Index}, m.Write); err != nil {
		return err
	}
	for _, f := range m.Raw {
		if err := r.checkout(ctx, Call{Index: f.Index, Scratch: f.Scratch}, f.Paths); err != nil {
			return err
		}
	}
	for p, mode := range m.Modes {
		if s := r.Look(p); s.There && s.Mode.IsRegular() {
			if err := os.Chmod(r.Abs(p), mode); err != nil {
				return err
			}
		}
	}
	return r.written(ctx, m)
}

func (r *Repo) checkout(ctx context.Context, c Call, list []string) error {
	if len(list) == 0 {
		return nil
	}
	c.Stdin, c.Args = Paths(list), []string{"checkout-index", "-f", "-u", "-q", "-z", "--stdin"}
	_, err := r.Git(ctx, c)
	return err
}

// written makes sure that every file is there. Those outside a sparse
// checkout need not be.
func (r *Repo) written(ctx context.Context, m *Move) error {
	var missing []string
	for _, p := range m.Write {
		if !r.Look(p).There {
			missing = append(missing, p)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	flags, err := r.Flags(ctx, m.Index)
	if err != nil {
		return err
	}
	for _, p := range missing {
		if flags[p] != 'S' && flags[p] != 's' {
			return fmt.Errorf("git did not write %s", Show(p))
		}
	}
	return nil
}

// Flags are the paths of an index that git is told to overlook: S those
// outside a sparse checkout, lower case those assumed to be unchanged.
func (r *Repo) Flags(ctx context.Context, index string) (map[string]byte, error) {
	out, err := r.Git(ctx, Call{Index: index, Args: []string{"ls-files", "-v", "-z"}})
	if err != nil {
		return nil, err
	}
	flags := map[string]byte{}
	for _, l := range strings.Split(string(out), "\x00") {
		if len(l) > 2 && l[0] != 'H' {
			flags[l[2:]] = l[0]
		}
	}
	return flags, nil
}

// makeWay takes away empty folders that stand where a file is to be, and
// refuses to take away anything else.
func (r *Repo) makeWay(p string) error {
	for i := range len(p) {
		if p[i] != '/' {
			continue
		}
		if s := r.Look(p[:i]); s.There && !s.Dir() {
			return fmt.Errorf("%s stands in the way of %s", Show(p[:i]), Show(p))
		}
	}
	if !r.Look(p).Dir() {
		return nil
	}
	var dirs []string
	err := filepath.WalkDir(r.Abs(p), func(q string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			err = fmt.Errorf("the folder %s stands in the way of a file and is not empty", Show(p))
		}
		dirs = append(dirs, q)
		return err
	})
	if err != nil {
		return err
	}
	if r.holdsProtected(p) {
		return fmt.Errorf("the folder %s stands in the way of a file", Show(p))
	}
	sort.Sort(sort.Reverse(sort.StringSlice(dirs)))
	for _, d := range dirs {
		if err := os.Remove(d); err != nil {
			return err
		}
	}
	return nil
}

// holdsProtected reports whether something protected is, or would be, in a
// folder.
func (r *Repo) holdsProtected(dir string) bool {
	if r.IsProtected(dir) {
		return true
	}
	for _, p := range r.Shielded {
		if strings.HasPrefix(p, dir+"/") {
			return true
		}
	}
	return false
}

// moveHead moves the branch, or HEAD, if it is still where it was.
func (r *Repo) moveHead(ctx context.Context, m *Move) error {
	if m.To == "" || m.To == m.From && m.ToBranch == m.FromBranch {
		return nil
	}
	zero := strings.Repeat("0", map[string]int{"sha1": 40, "sha256": 64}[r.Objects])
	or := func(s string) string {
		if s == "" {
			return zero
		}
		return s
	}
	message := "redundctl: " + m.Reason
	switch m.ToBranch {
	case m.FromBranch:
		_, err := r.Git(ctx, Call{Args: []string{"update-ref", "-m", message, "HEAD", m.To, or(m.From)}})
		return err
	case "":
		_, err := r.Git(ctx, Call{Args: []string{"update-ref", "--no-deref", "-m", message, "HEAD", m.To}})
		return err
	}
	if _, err := r.Git(ctx, Call{Args: []string{"update-ref", "-m", message, m.ToBranch, m.To, or(m.ToWas)}}); err != nil {
		return err
	}
	_, err := r.Git(ctx, Call{Args: []string{"symbolic-ref", "-m", message, "HEAD", m.ToBranch}})
	if err != nil && m.ToWas != "" {
		_, e := r.Git(context.WithoutCancel(ctx), Call{Args: []string{"update-ref", "-m", message, m.ToBranch, m.ToWas, m.To}})
		err = errors.Join(err, e)
	}
	return err
}

// Diff are the paths in which two trees differ, with A, D, M or T. Protected
// paths and submodules are left out.
func (r *Repo) Diff(ctx context.Context, a, b string) (map[string]byte, error) {
	out := map[string]byte{}
	if a == b {
		return out, nil
	}
	args := []string{"diff-tree", "-r", "-z", "--no-renames", "--no-ext-diff", a, b}
	if a == "" {
		args = []string{"ls-tree", "-r", "-z", b}
	}
	text, err := r.Git(ctx, Call{Args: args})
	if err != nil {
		return nil, err
	}
	f := strings.Split(string(text), "\x00")
	if a == "" {
		for _, l := range f {
			head, p, _ := strings.Cut(l, "\t")
			if p != "" && !strings.HasPrefix(head, "160000") && !r.IsProtected(p) {
				out[p] = 'A'
			}
		}
		return out, nil
	}
	for ; len(f) >= 2; f = f[2:] {
		head, p := strings.Fields(f[0]), f[1]
		if len(head) != 5 || r.IsProtected(p) {
			continue
		}
		was, is, kind := head[0] == ":160000", head[1] == "160000", head[4][0]
		switch {
		case was && is:
			continue
		case was && kind == 'T':
			kind = 'A'
		case is && kind == 'T':
			kind = 'D'
		case is || was:
			continue
		}
		out[p] = kind
	}
	return out, nil
}

// Show makes a path fit for a line of text.
func Show(p string) string {
	q := strconv.Quote(p)
	if q[1:len(q)-1] == p {
		return p
	}
	return q
}

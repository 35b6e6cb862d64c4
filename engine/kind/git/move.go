package git

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

// move is a change of work tree, index and HEAD that is done whole or not at
// all.
type move struct {
	from, fromBranch string // HEAD before; "" none, "" detached
	to, toBranch     string // HEAD after
	toWas            string // where toBranch stood, when it is another one

	write  []string // to be written from index, with the user's filters
	raw    []rawFiles
	remove []string // to be taken away
	index  string   // the file that becomes the index
	modes  map[string]fs.FileMode
	seen   map[string]stamp // how files that go or change looked when they were saved

	list   []string
	taken  map[string]bool
	reason string
}

// rawFiles are written byte for byte from an index of a scratch.
type rawFiles struct {
	scratch *scratch
	index   string
	paths   []string
}

// touched are all paths of a move, each once, sorted.
func (m *move) touched() []string {
	if m.list == nil {
		m.taken = map[string]bool{}
		for _, p := range m.remove {
			m.taken[p] = true
		}
		m.list = append(append(m.list, m.remove...), m.write...)
		for _, f := range m.raw {
			m.list = append(m.list, f.paths...)
		}
		slices.Sort(m.list)
		m.list = slices.Compact(m.list)
	}
	return m.list
}

func (m *move) removes(p string) bool { return m.taken[p] }

// apply does a move under the lock, which it uses up. When it fails, or ctx
// ends, everything is as it was.
func (r *Repo) apply(ctx context.Context, m *move, l *lock) error {
	u, err := r.prepare(m)
	if err != nil {
		return err
	}
	err = r.files(ctx, m)
	if err == nil {
		if p, bad := u.rewritten(m); bad {
			err = fmt.Errorf("%s was written at the same time", show(p))
		}
	}
	if err == nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err == nil {
		err = l.publish(m.index)
	}
	if err == nil {
		err = r.moveHead(context.WithoutCancel(ctx), m)
	}
	if err == nil {
		return os.RemoveAll(u.dir)
	}
	if e := r.roll(u); e != nil {
		return fmt.Errorf("%w; %w", err, e)
	}
	return fmt.Errorf("%w (everything was put back as it was)", err)
}

// files changes the work tree.
func (r *Repo) files(ctx context.Context, m *move) error {
	m.touched()
	for _, p := range m.remove {
		if s := r.look(p); !s.there || s.dir() {
			continue
		}
		if err := os.Remove(r.abs(p)); err != nil {
			return err
		}
		// A folder that this leaves empty goes with it, as git does it.
		for d := dirOf(p); d != "" && !r.holdsProtected(d) && os.Remove(r.abs(d)) == nil; d = dirOf(d) {
		}
	}
	for _, p := range m.touched() {
		if !m.removes(p) {
			if err := r.makeWay(p); err != nil {
				return err
			}
		}
	}
	if err := r.checkout(ctx, call{index: m.index}, m.write); err != nil {
		return err
	}
	for _, f := range m.raw {
		if err := r.checkout(ctx, call{index: f.index, scratch: f.scratch}, f.paths); err != nil {
			return err
		}
	}
	for p, mode := range m.modes {
		if s := r.look(p); s.there && s.mode.IsRegular() {
			if err := os.Chmod(r.abs(p), mode); err != nil {
				return err
			}
		}
	}
	return r.written(ctx, m)
}

func (r *Repo) checkout(ctx context.Context, c call, list []string) error {
	if len(list) == 0 {
		return nil
	}
	c.stdin, c.args = paths(list), []string{"checkout-index", "-f", "-u", "-q", "-z", "--stdin"}
	_, err := r.git(ctx, c)
	return err
}

// written makes sure that every file is there. Those outside a sparse
// checkout need not be.
func (r *Repo) written(ctx context.Context, m *move) error {
	var missing []string
	for _, p := range m.write {
		if !r.look(p).there {
			missing = append(missing, p)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	flags, err := r.flags(ctx, m.index)
	if err != nil {
		return err
	}
	for _, p := range missing {
		if flags[p] != 'S' && flags[p] != 's' {
			return fmt.Errorf("git did not write %s", show(p))
		}
	}
	return nil
}

// flags are the paths of an index that git is told to overlook: S those
// outside a sparse checkout, lower case those assumed to be unchanged.
func (r *Repo) flags(ctx context.Context, index string) (map[string]byte, error) {
	out, err := r.git(ctx, call{index: index, args: []string{"ls-files", "-v", "-z"}})
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
		if s := r.look(p[:i]); s.there && !s.dir() {
			return fmt.Errorf("%s stands in the way of %s", show(p[:i]), show(p))
		}
	}
	if !r.look(p).dir() {
		return nil
	}
	var dirs []string
	err := filepath.WalkDir(r.abs(p), func(q string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			err = fmt.Errorf("the folder %s stands in the way of a file and is not empty", show(p))
		}
		dirs = append(dirs, q)
		return err
	})
	if err != nil {
		return err
	}
	if r.holdsProtected(p) {
		return fmt.Errorf("the folder %s stands in the way of a file", show(p))
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
	if r.isProtected(dir) {
		return true
	}
	for _, p := range r.protected {
		if strings.HasPrefix(p, dir+"/") {
			return true
		}
	}
	return false
}

// moveHead moves the branch, or HEAD, if it is still where it was.
func (r *Repo) moveHead(ctx context.Context, m *move) error {
	if m.to == "" || m.to == m.from && m.toBranch == m.fromBranch {
		return nil
	}
	zero := strings.Repeat("0", map[string]int{"sha1": 40, "sha256": 64}[r.objects])
	or := func(s string) string {
		if s == "" {
			return zero
		}
		return s
	}
	message := "redundctl: " + m.reason
	switch {
	case m.toBranch == m.fromBranch:
		_, err := r.git(ctx, call{args: []string{"update-ref", "-m", message, "HEAD", m.to, or(m.from)}})
		return err
	case m.toBranch == "":
		_, err := r.git(ctx, call{args: []string{"update-ref", "--no-deref", "-m", message, "HEAD", m.to}})
		return err
	}
	if _, err := r.git(ctx, call{args: []string{"update-ref", "-m", message, m.toBranch, m.to, or(m.toWas)}}); err != nil {
		return err
	}
	_, err := r.git(ctx, call{args: []string{"symbolic-ref", "-m", message, "HEAD", m.toBranch}})
	if err != nil && m.toWas != "" {
		_, e := r.git(context.WithoutCancel(ctx), call{args: []string{"update-ref", "-m", message, m.toBranch, m.toWas, m.to}})
		err = errors.Join(err, e)
	}
	return err
}

// diff are the paths in which two trees differ, with A, D, M or T. Protected
// paths and submodules are left out.
func (r *Repo) diff(ctx context.Context, a, b string) (map[string]byte, error) {
	out := map[string]byte{}
	if a == b {
		return out, nil
	}
	args := []string{"diff-tree", "-r", "-z", "--no-renames", "--no-ext-diff", a, b}
	if a == "" {
		args = []string{"ls-tree", "-r", "-z", b}
	}
	text, err := r.git(ctx, call{args: args})
	if err != nil {
		return nil, err
	}
	f := strings.Split(string(text), "\x00")
	if a == "" {
		for _, l := range f {
			head, p, _ := strings.Cut(l, "\t")
			if p != "" && !strings.HasPrefix(head, "160000") && !r.isProtected(p) {
				out[p] = 'A'
			}
		}
		return out, nil
	}
	for ; len(f) >= 2; f = f[2:] {
		head, p := strings.Fields(f[0]), f[1]
		if len(head) != 5 || r.isProtected(p) {
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

// show makes a path fit for a line of text.
func show(p string) string {
	q := strconv.Quote(p)
	if q[1:len(q)-1] == p {
		return p
	}
	return q
}

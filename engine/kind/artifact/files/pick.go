// Package files finds the files that patterns name, as upload-artifact finds
// them, and copies them: nothing is read or written outside of the folder that
// it is meant for, whatever links lie on the way.
package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// Options say what is picked, and from where.
type Options struct {
	// Patterns are one a line: paths and globs, `!` before what is left out, `#`
	// before a comment. The last one that a file matches decides.
	Patterns []string
	Hidden   bool // files and folders whose name begins with a dot count too
	// Links are picked as links, and not followed.
	Links bool
	// Outside is told of each pattern that begins outside of the project, which
	// is then passed over; nil: such a pattern is an error.
	Outside func(pattern string)
}

// File is one that was picked.
type File struct {
	Rel  string // from Picked.Base, with forward slashes
	Path string // absolute, after every link
	Info fs.FileInfo
	Link string // where a link leads; "": it is none
	home string // the folder that Path lies in and that nothing read may leave
}

// Picked are the files that patterns name.
type Picked struct {
	Base  string // the folder that all of them lie in, absolute
	Files []File // by their names
	// Closed are what was passed over because nobody may have it: the state
	// directory and files of secrets.
	Closed []string
}

// pattern is one line.
type pattern struct {
	glob string // absolute, as doublestar takes it
	root string // where the search begins; "" of one that leaves out
	not  bool
	dirs bool // it ends in a slash: it names folders
}

func (p pattern) matches(path string, dir bool) bool {
	if ok, _ := doublestar.Match(p.glob, path); ok && (dir || !p.dirs) {
		return true
	}
	ok, _ := doublestar.Match(strings.TrimSuffix(p.glob, "/")+"/**/*", path) // what lies in a folder that matches
	return ok
}

// picker is one search.
type picker struct {
	Options
	ctx      context.Context
	scope    *pipeline.Scope
	patterns []pattern
	seen     map[string]bool
	closed   []string // absolute, after links
	homes    []string // what links may lead to
	out      Picked
}

// Pick finds the files that patterns name, from the step's working directory
// on. It is an error when a link leads out of the project, and when a pattern
// begins outside of it that does not stand so in the file.
func Pick(ctx context.Context, s *pipeline.Scope, o Options) (*Picked, error) {
	p := &picker{Options: o, ctx: ctx, scope: s, seen: map[string]bool{}}
	for _, x := range append([]string{s.State}, s.Protected...) {
		if x == "" {
			continue
		}
		p.closed = append(p.closed, filepath.Clean(x))
		if real, err := filepath.EvalSymlinks(x); err == nil {
			p.closed = append(p.closed, real)
		}
	}
	for _, home := range []string{s.Root, s.Temp} {
		if real, err := filepath.EvalSymlinks(home); home != "" && err == nil {
			p.homes = append(p.homes, real)
		}
	}
	if err := p.parse(); err != nil {
		return nil, err
	}
	roots := p.roots()
	for _, r := range roots {
		if err := p.begin(r); err != nil {
			return nil, err
		}
	}
	p.base(roots)
	for i := range p.out.Files {
		f := &p.out.Files[i]
		rel, err := filepath.Rel(p.out.Base, f.Rel)
		if err != nil || !filepath.IsLocal(rel) {
			return nil, fmt.Errorf("%s does not lie below %s", f.Rel, p.out.Base)
		}
		f.Rel = filepath.ToSlash(rel)
	}
	slices.SortFunc(p.out.Files, func(a, b File) int { return strings.Compare(a.Rel, b.Rel) })
	return &p.out, nil
}

// parse reads the lines.
func (p *picker) parse() error {
	named := false
	for _, text := range p.Patterns {
		for line := range strings.Lines(text) {
			line = strings.TrimSpace(line)
			if line == "" || line[0] == '#' {
				continue
			}
			word, not := strings.CutPrefix(line, "!")
			x, err := p.pattern(strings.TrimSpace(word), line)
			if err != nil {
				return err
			}
			named = named || !not
			if x.not = not; !not {
				ok, err := p.allowed(x.root, text, line)
				if err != nil {
					return err
				}
				if !ok {
					continue
				}
			}
			p.patterns = append(p.patterns, x)
		}
	}
	if !named {
		return errors.New("path names nothing: write a file, a folder or a glob")
	}
	return nil
}

func (p *picker) pattern(word, line string) (pattern, error) {
	if word == "" || strings.ContainsRune(word, 0) {
		return pattern{}, fmt.Errorf("path: %q names nothing", line)
	}
	dirs := strings.HasSuffix(word, "/")
	if rest, ok := strings.CutPrefix(word, "~"); ok && (rest == "" || rest[0] == '/') {
		home := kind.Variable(p.scope.Env, "HOME")
		if home == "" {
			return pattern{}, fmt.Errorf("path: %s needs HOME, which is not set", line)
		}
		word = home + rest
	}
	if !filepath.IsAbs(word) {
		word = plain(p.scope.Dir) + "/" + word
	}
	word = filepath.Clean(word)
	// Braces are plain letters, as they are to upload-artifact.
	glob := strings.NewReplacer("{", `\{`, "}", `\}`).Replace(word)
	if !doublestar.ValidatePattern(glob) {
		return pattern{}, fmt.Errorf("path: %s is no glob that can be read", line)
	}
	return pattern{glob: glob, root: root(word), dirs: dirs}, nil
}

// plain writes a path so that a glob takes it for what it is.
func plain(path string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(path)
}

// root is the part of a pattern before its first wildcard.
func root(word string) string {
	var out []string
	for _, part := range strings.Split(word, "/") {
		text, wild := literal(part)
		if wild {
			break
		}
		out = append(out, text)
	}
	if len(out) < 2 {
		return "/"
	}
	return strings.Join(out, "/")
}

// literal reads one part of a pattern that has no wildcard.
func literal(part string) (text string, wild bool) {
	var b strings.Builder
	for i := 0; i < len(part); i++ {
		switch c := part[i]; {
		case c == '\\' && i+1 < len(part):
			i++
			b.WriteByte(part[i])
		case c == '*' || c == '?' || c == '[' && strings.Contains(part[i:], "]"):
			return "", true
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), false
}

// allowed reports whether a search may begin there.
func (p *picker) allowed(root, text, line string) (bool, error) {
	named := kind.Within(p.scope.Root, root) || p.scope.Temp != "" && kind.Within(p.scope.Temp, root)
	switch {
	case named && p.inside(root):
		return true, nil
	case p.Outside != nil:
		p.Outside(line)
		return false, nil
	case named:
		return false, fmt.Errorf("path: %s leads out of the project by a link", line)
	}
	// What stands so in the file is its author's own word; lines of one text
	// cannot be told apart from what an expression made of them.
	if strings.TrimSpace(text) == line && line[0] != '~' {
		if _, err := p.scope.Inside(text); err != nil {
			return false, err
		}
	} else if _, err := p.scope.Inside(root); err != nil {
		return false, err
	}
	if real, err := filepath.EvalSymlinks(root); err == nil {
		if info, err := os.Stat(real); err == nil && !info.IsDir() {
			real = filepath.Dir(real)
		}
		p.homes = append(p.homes, real)
	}
	return true, nil
}

// inside reports whether a place lies in the project after every link; one that
// is not there does.
func (p *picker) inside(path string) bool {
	real, err := filepath.EvalSymlinks(path)
	return err != nil || p.home(real) != ""
}

// home is the folder that files at a place may be taken from; "": there is none.
func (p *picker) home(real string) string {
	for _, h := range p.homes {
		if kind.Within(h, real) {
			return h
		}
	}
	return ""
}

// roots are where the search begins, none below another.
func (p *picker) roots() []string {
	var all, out []string
	for _, x := range p.patterns {
		if !x.not {
			all = append(all, x.root)
		}
	}
	for i, r := range all {
		if !slices.Contains(all[:i], r) && !slices.ContainsFunc(all, func(o string) bool { return o != r && kind.Within(o, r) }) {
			out = append(out, r)
		}
	}
	return out
}

// base is the folder that the names of files are told from: where the one
// search began, or the nearest that all searches lie below.
func (p *picker) base(roots []string) {
	switch {
	case len(roots) == 0:
		p.out.Base = p.scope.Dir
	case len(roots) == 1:
		p.out.Base = roots[0]
		if len(p.out.Files) == 1 && p.out.Files[0].Rel == roots[0] {
			p.out.Base = filepath.Dir(roots[0])
		}
	default:
		common := strings.Split(roots[0], "/")
		for _, r := range roots[1:] {
			parts := strings.Split(r, "/")
			n := 0
			for n < len(common) && n < len(parts) && common[n] == parts[n] {
				n++
			}
			common = common[:n]
		}
		p.out.Base = "/" + strings.TrimPrefix(strings.Join(common, "/"), "/")
	}
}

// place is a path as it was asked for, and what it is after every link.
type place struct{ path, real string }

func (a place) child(name string) place {
	return place{filepath.Join(a.path, name), filepath.Join(a.real, name)}
}

// begin walks from where a search begins.
func (p *picker) begin(root string) error {
	real, err := filepath.EvalSymlinks(filepath.Dir(root))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s cannot be looked at: %w", root, err)
	}
	return p.walk(place{root, filepath.Join(real, filepath.Base(root))}, nil)
}

// walk looks at a place and all below it; above are the folders that lead here,
// after links.
func (p *picker) walk(at place, above []string) error {
	if p.ctx.Err() != nil {
		return context.Cause(p.ctx)
	}
	name := filepath.Base(at.path)
	if !p.Hidden && strings.HasPrefix(name, ".") && at.path != filepath.Clean(p.scope.Dir) || p.seen[at.path] {
		return nil
	}
	p.seen[at.path] = true
	info, err := os.Lstat(at.real)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s cannot be looked at: %w", at.path, err)
	}
	f := File{Rel: at.path, Path: at.real, Info: info}
	if info.Mode()&fs.ModeSymlink != 0 {
		if p.Links {
			if f.Link, err = os.Readlink(at.real); err != nil {
				return err
			}
			return p.take(f)
		}
		if f, err = p.follow(at); err != nil {
			if !p.wanted(at.path, false) { // what is not asked for is nobody's trouble
				return nil
			}
			return err
		}
	}
	if slices.ContainsFunc(p.closed, func(c string) bool { return kind.Within(c, at.path) || kind.Within(c, f.Path) }) {
		p.out.Closed = append(p.out.Closed, at.path)
		return nil
	}
	if !f.Info.IsDir() {
		return p.take(f)
	}
	return p.descend(place{at.path, f.Path}, above)
}

func (p *picker) descend(at place, above []string) error {
	if slices.Contains(above, at.real) {
		return nil // a link back to where we came from
	}
	entries, err := os.ReadDir(at.real)
	if err != nil {
		return fmt.Errorf("%s cannot be read: %w", at.path, err)
	}
	for _, e := range entries {
		if err := p.walk(at.child(e.Name()), append(slices.Clip(above), at.real)); err != nil {
			return err
		}
	}
	return nil
}

// follow is what a link leads to.
func (p *picker) follow(at place) (File, error) {
	real, err := filepath.EvalSymlinks(at.real)
	if err != nil {
		return File{}, fmt.Errorf("the link %s leads nowhere: remove it, or leave it out with ! before its name", at.path)
	}
	if p.home(real) == "" {
		return File{}, fmt.Errorf("the link %s leads out of the project, to %s: leave it out with ! before its name", at.path, real)
	}
	info, err := os.Stat(real)
	return File{Rel: at.path, Path: real, Info: info}, err
}

func (p *picker) take(f File) error {
	if !p.wanted(f.Rel, false) {
		return nil
	}
	if f.Link == "" && !f.Info.Mode().IsRegular() {
		return nil // a socket, a pipe, a device
	}
	if f.home = p.home(f.Path); f.home == "" {
		return fmt.Errorf("%s lies outside of the project, at %s", f.Rel, f.Path)
	}
	p.out.Files = append(p.out.Files, f)
	return nil
}

// wanted reports whether the patterns want a path.
func (p *picker) wanted(path string, dir bool) bool {
	out := false
	for _, x := range p.patterns {
		if out == x.not && x.matches(path, dir) {
			out = !x.not
		}
	}
	return out
}

package artifact

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/kind/artifact/files"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// downloadWith is `with` of artifact/download.
type downloadWith struct {
	Name    string `json:"name"`
	Path    string `json:"path"`
	Pattern string `json:"pattern"`
	Merge   bool   `json:"merge-multiple"`
	RunID   any    `json:"run-id"`
}

type download struct {
	with downloadWith
	run  string // the id of an earlier run; "": this one
}

// pattern reports what keeps a text from being a glob.
func pattern(p string) error {
	if !doublestar.ValidatePattern(p) {
		return fmt.Errorf("pattern: %s is no glob that can be read", p)
	}
	return nil
}

// runID is the id of a run as text.
func runID(v any) (string, error) {
	var text string
	switch x := v.(type) {
	case nil:
		return "", nil
	case string:
		text = x
	case float64:
		text = strconv.FormatFloat(x, 'f', -1, 64)
	default:
		text = fmt.Sprint(v)
	}
	if n, err := strconv.ParseInt(text, 10, 64); text != "" && (err != nil || n <= 0 || strconv.FormatInt(n, 10) != text) {
		return "", fmt.Errorf("run-id: %q is not the id of a run of redundctl", text)
	}
	return text, nil
}

// found is one artifact.
type found struct{ name, dir string }

// find gives the artifacts that are asked for.
func (a *download) find(s *pipeline.Scope) ([]found, error) {
	var dir string
	whose := "this run"
	if a.run != "" && a.run != s.Run.ID {
		dir, whose = filepath.Join(s.State, "artifacts", a.run), "run "+a.run
	} else {
		var err error
		if dir, err = store(s); err != nil {
			return nil, err
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the artifacts of %s cannot be read: %w", whose, err)
	}
	var out []found
	var have []string
	for _, e := range entries {
		if !e.IsDir() || component(e.Name()) != nil {
			continue // what scripts left, and what is not complete
		}
		have = append(have, e.Name())
		if ok, err := doublestar.Match(a.with.Pattern, e.Name()); a.with.Name == e.Name() || a.with.Name == "" && (a.with.Pattern == "" || ok && err == nil) {
			out = append(out, found{e.Name(), filepath.Join(dir, e.Name())})
		}
	}
	if len(out) == 0 && a.with.Name != "" {
		list := "it has none"
		if len(have) > 0 {
			list = "it has " + strings.Join(have, ", ")
		}
		return nil, fmt.Errorf("there is no artifact %s in %s: %s", a.with.Name, whose, list)
	}
	return out, nil
}

// into is the folder that one artifact goes to, below the one that is named.
func (a *download) into(f found) string {
	if a.with.Name != "" || a.with.Merge {
		return "."
	}
	return f.name
}

// to is the folder that artifacts go to.
func (a *download) to(s *pipeline.Scope) (string, error) {
	dir := a.with.Path
	if rest, ok := strings.CutPrefix(dir, "~/"); ok {
		dir = filepath.Join(kind.Variable(s.Env, "HOME"), rest)
	}
	dir, err := s.Inside(dir)
	if err != nil {
		return "", err
	}
	if closed(s, dir) {
		return "", fmt.Errorf("path: %s is redundctl's own: name another directory", short(s, dir))
	}
	return dir, nil
}

// Run copies the artifacts.
func (a *download) Run(ctx context.Context, s *pipeline.Scope) (out pipeline.Outputs, err error) {
	list, err := a.find(s)
	if err != nil {
		return out, err
	}
	dir, err := a.to(s)
	if err != nil {
		return out, err
	}
	out.Values = map[string]any{"download-path": dir, "artifacts": len(list), "files": 0}
	if len(list) == 0 {
		say(s, "there are no artifacts that match: nothing is brought")
		return out, nil
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return out, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return out, err
	}
	defer func() { _ = root.Close() }()
	d := unpacking{ctx: ctx, scope: s, root: root, dir: dir}
	for _, f := range list {
		if err := d.unpack(f, a.into(f)); err != nil {
			return out, fmt.Errorf("the artifact %s cannot be brought to %s: %w", f.name, short(s, dir), err)
		}
	}
	out.Values["files"] = d.files
	say(s, "brought %s of %s to %s", diag.Count(d.files, "file"), diag.Count(len(list), "artifact"), short(s, dir))
	return out, nil
}

// unpacking copies artifacts into one folder.
type unpacking struct {
	ctx   context.Context
	scope *pipeline.Scope
	root  *os.Root
	dir   string
	files int
}

func (d *unpacking) unpack(f found, below string) error {
	from, err := os.OpenRoot(f.dir)
	if err != nil {
		return err
	}
	defer func() { _ = from.Close() }()
	return fs.WalkDir(from.FS(), ".", func(p string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir():
			return nil
		case !e.Type().IsRegular(): // a script put it there
			say(d.scope, "warning: %s of the artifact %s is left out: it is no file", p, f.name)
			return nil
		}
		return d.one(from, p, path.Join(below, p))
	})
}

func (d *unpacking) one(from *os.Root, p, to string) error {
	in, err := from.Open(p)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return errors.Join(fmt.Errorf("%s is no file any more", p), err)
	}
	if closed(d.scope, filepath.Join(d.dir, to)) {
		return fmt.Errorf("%s is redundctl's own, or holds secrets: it is not written over", to)
	}
	mode := fs.FileMode(0o666)
	if info.Mode()&0o100 != 0 {
		mode = 0o777
	}
	if _, err = files.Put(d.ctx, d.root, to, files.Content{From: in, Mode: mode, Folders: 0o777}); err != nil {
		return err
	}
	d.files++
	return nil
}

// closed reports whether a path is the state directory or a file of secrets, or
// would come to lie in one, whatever links lead there.
func closed(s *pipeline.Scope, path string) bool {
	real := path
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		if r, err := filepath.EvalSymlinks(dir); err == nil {
			real = filepath.Join(r, strings.TrimPrefix(path, dir))
			break
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	return slices.ContainsFunc(append([]string{s.State}, s.Protected...), func(c string) bool {
		if c == "" {
			return false
		}
		home, err := filepath.EvalSymlinks(c)
		return kind.Within(c, path) || kind.Within(c, real) || err == nil && kind.Within(home, real)
	})
}

// Plan says what is there now.
func (a *download) Plan(_ context.Context, s *pipeline.Scope) ([]pipeline.Effect, error) {
	dir, err := a.to(s)
	if err != nil {
		return nil, err
	}
	what := "all artifacts"
	switch {
	case a.with.Name != "":
		what = "the artifact " + a.with.Name
	case a.with.Pattern != "":
		what = "the artifacts " + a.with.Pattern
	}
	whose := "that the run has kept by then"
	if a.run != "" {
		if _, err := a.find(s); err != nil {
			return nil, err
		}
		whose = "of run " + a.run
	}
	return []pipeline.Effect{pipeline.Effect(s.Mask(fmt.Sprintf("would bring %s %s to %s", what, whose, short(s, dir))))}, nil
}

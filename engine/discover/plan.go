package discover

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/kind"
)

// File is the file of one pipeline that is not there yet.
type File struct {
	Primary *Primary
	Name    string // of the pipeline
	Path    string // from the project root, with forward slashes
	Text    []byte
}

// Left is a primary that gets no file, and why.
type Left struct {
	Primary *Primary
	Reason  string
	// Ours is set when that is no fault of the source and of nobody's: the file
	// could not be made, or not be written.
	Ours bool
}

// Plan is what would be written.
type Plan struct {
	Files []File
	Left  []Left
}

// Make makes a file of each primary that no pipeline backs up yet. It writes
// nothing. Each file is valid as it is: one that would not be is left out.
func Make(p *config.Project, found []Primary) Plan { return plan(p, found, false) }

// MakeAll makes a file of each primary, also of those that a pipeline backs up:
// what it would be like if it were made now.
func MakeAll(p *config.Project, found []Primary) Plan { return plan(p, found, true) }

func plan(p *config.Project, found []Primary, all bool) Plan {
	var plan Plan
	root, err := folder(p)
	backers, names := NewBackers(p.Pipelines), newNames(p, root)
	for i := range found {
		x := &found[i]
		leave := func(ours bool, format string, args ...any) {
			plan.Left = append(plan.Left, Left{x, fmt.Sprintf(format, args...), ours})
		}
		switch {
		case x.Broken != "":
			leave(false, "%s", x.Broken)
			continue
		case err != nil:
			leave(true, "%s", err)
			continue
		case len(x.Draft) == 0:
			leave(false, "%s", strings.TrimSpace("there is nothing to run in its place: "+x.Note))
			continue
		}
		b := backers.Any(x)
		if b != nil && all {
			plan.Files = append(plan.Files, File{Primary: x, Name: b.Name, Path: b.File})
			continue
		}
		if b != nil {
			leave(false, "%s backs it up already", b.File)
			continue
		}
		if file := names.invalid(x); file != "" {
			leave(false, "%s may back it up, and is invalid: redundctl validate shows why", file)
			continue
		}
		name, file := names.take(x)
		plan.Files = append(plan.Files, File{Primary: x, Name: name, Path: file})
	}
	plan.check(p)
	return plan
}

// folder is the folder of pipelines that files are written to: the first of
// redund.yaml that is no pattern.
func folder(p *config.Project) (string, error) {
	for _, root := range p.Config.Pipelines {
		if !strings.ContainsAny(root, "*?[{") && !filepath.IsAbs(root) {
			return path.Clean(filepath.ToSlash(root)), nil
		}
	}
	return "", fmt.Errorf("pipelines in %s names no folder to write to: add one that is neither a pattern nor absolute", config.FileName)
}

// check makes the texts, side by side, and leaves out what would not be valid.
func (plan *Plan) check(p *config.Project) {
	wrong := make([]string, len(plan.Files))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range plan.Files {
		group.Go(func() error {
			wrong[i] = plan.Files[i].make(p)
			return nil
		})
	}
	_ = group.Wait() // none gives an error: what is wrong stands in its place
	good := plan.Files[:0]
	for i, f := range plan.Files {
		if wrong[i] == "" {
			good = append(good, f)
			continue
		}
		plan.Left = append(plan.Left, Left{f.Primary, wrong[i], true})
	}
	plan.Files = good
}

// make makes the text of a file, or says why it has none.
func (f *File) make(p *config.Project) string {
	var err error
	if f.Text, err = file(p.Root, f.Primary, f.Name, path.Base(path.Dir(f.Path))); err != nil {
		return err.Error()
	}
	for _, x := range p.Try(f.Path, f.Text) {
		if x.Severity == diag.Error {
			at := "it"
			if text := strings.Split(string(f.Text), "\n"); x.Line > 0 && x.Line <= len(text) {
				at = fmt.Sprintf("its line %d, %q,", x.Line, strings.TrimSpace(text[x.Line-1]))
			}
			return fmt.Sprintf("the pipeline made of it would not be valid, so that nothing was written: %s says: %s", at, x.Message)
		}
	}
	return ""
}

// Write writes the files of a plan below the project root, over nothing that is
// there. What cannot be written moves to Left.
func (plan *Plan) Write(root string) {
	written := plan.Files[:0:0]
	for _, f := range plan.Files {
		at := filepath.Join(root, filepath.FromSlash(f.Path))
		err := os.MkdirAll(filepath.Dir(at), 0o755)
		if err == nil {
			err = writeNew(at, f.Text)
		}
		switch {
		case errors.Is(err, fs.ErrExist):
			plan.Left = append(plan.Left, Left{f.Primary, f.Path + " is there already and stays as it is", false})
		case err != nil:
			plan.Left = append(plan.Left, Left{f.Primary, fmt.Sprintf("writing %s: %s", f.Path, cause(err)), true})
		default:
			written = append(written, f)
		}
	}
	plan.Files = written
}

// cause is what the system says of a path, without the path.
func cause(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

// Broken reports whether a source could not be read.
func (plan *Plan) Broken() bool {
	return slices.ContainsFunc(plan.Left, func(l Left) bool { return l.Primary.Broken != "" })
}

// Failed reports whether a file could not be made or written, which is nobody's
// mistake in a source.
func (plan *Plan) Failed() bool {
	return slices.ContainsFunc(plan.Left, func(l Left) bool { return l.Ours })
}

// Constructs are those of all primaries, each once: what stands in one place may
// belong to several.
func Constructs(found []Primary) []kind.Construct {
	out := []kind.Construct{}
	seen := map[kind.Construct]bool{}
	for i := range found {
		for _, c := range found[i].Constructs {
			if !seen[c] {
				seen[c] = true
				out = append(out, c)
			}
		}
	}
	return out
}

package artifact

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/kind/artifact/files"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// uploadWith is `with` of artifact/upload.
type uploadWith struct {
	Name        string `json:"name"`
	Path        any    `json:"path"` // a text of lines, or a list of them
	IfNone      string `json:"if-no-files-found"`
	Overwrite   bool   `json:"overwrite"`
	Hidden      bool   `json:"include-hidden-files"`
	Retention   any    `json:"retention-days"`
	Compression any    `json:"compression-level"`
}

type upload struct {
	with     uploadWith
	patterns []string
}

// pick finds the files; none of them as if-no-files-found says.
func (a *upload) pick(ctx context.Context, s *pipeline.Scope) (*files.Picked, error) {
	got, err := files.Pick(ctx, s, files.Options{Patterns: a.patterns, Hidden: a.with.Hidden})
	if err != nil {
		return nil, err
	}
	if len(got.Files) == 0 && a.with.IfNone == "error" {
		return nil, fmt.Errorf("no files were found for the artifact %s at %s: check path, or set if-no-files-found: warn", a.with.Name, a.asked())
	}
	return got, nil
}

// asked is what was asked for, in one line.
func (a *upload) asked() string {
	return strings.Join(strings.Fields(strings.Join(a.patterns, "\n")), " ")
}

// Run copies the files into a folder that gets the artifact's name when all of
// them are there.
func (a *upload) Run(ctx context.Context, s *pipeline.Scope) (out pipeline.Outputs, err error) {
	dir, err := store(s)
	if err != nil {
		return out, err
	}
	got, err := a.pick(ctx, s)
	if err != nil {
		return out, err
	}
	out.Values = map[string]any{"name": a.with.Name, "path": "", "files": 0, "bytes": int64(0)}
	for _, p := range got.Closed {
		say(s, "%s is left out: it holds what is redundctl's own, or secrets", short(s, p))
	}
	if len(got.Files) == 0 {
		if a.with.IfNone != "ignore" {
			say(s, "warning: no files were found for the artifact %s at %s: nothing is kept", a.with.Name, a.asked())
		}
		return out, nil
	}
	to := filepath.Join(dir, a.with.Name)
	if there(to) && !a.with.Overwrite {
		return out, a.taken()
	}
	stage := filepath.Join(dir, ".upload-"+rand.Text()) // no artifact's name begins with a dot
	if err := os.Mkdir(stage, 0o700); err != nil {
		return out, fmt.Errorf("the artifact %s cannot be kept: %w", a.with.Name, err)
	}
	defer os.RemoveAll(stage)
	size, err := fill(ctx, stage, got.Files)
	if err != nil {
		return out, fmt.Errorf("the artifact %s cannot be kept: %w", a.with.Name, err)
	}
	if err := a.place(stage, to); err != nil {
		return out, err
	}
	if a.with.Retention != nil {
		say(s, "retention-days is not followed: an artifact stays as long as its run")
	}
	out.Values["path"], out.Values["files"], out.Values["bytes"] = to, len(got.Files), size
	say(s, "kept %s (%d bytes) as the artifact %s", diag.Count(len(got.Files), "file"), size, a.with.Name)
	return out, nil
}

func (a *upload) taken() error {
	return fmt.Errorf("there is an artifact %s in this run already: give this one another name, or set overwrite: true", a.with.Name)
}

// fill copies files into a folder.
func fill(ctx context.Context, dir string, list []files.File) (size int64, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return 0, err
	}
	defer func() { _ = root.Close() }()
	for i := range list {
		n, err := one(ctx, root, &list[i])
		if err != nil {
			return 0, fmt.Errorf("%s: %w", list[i].Rel, err)
		}
		size += n
	}
	return size, nil
}

func one(ctx context.Context, root *os.Root, f *files.File) (int64, error) {
	in, err := f.Open()
	if err != nil {
		return 0, err
	}
	defer in.Close()
	// Whoever uploads may read it; whether it may be run is kept.
	return files.Put(ctx, root, f.Rel, files.Content{From: in, Mode: f.Info.Mode().Perm()&0o100 | 0o600, Folders: 0o700})
}

// place gives a complete folder its name, over the one that has it if that is
// wanted. Of two that come at once one is too late.
func (a *upload) place(stage, to string) error {
	for range 100 {
		err := unix.Renameat2(unix.AT_FDCWD, stage, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) { // a file system that cannot
			if !there(to) {
				err = os.Rename(stage, to)
			} else {
				err = unix.EEXIST
			}
		}
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, fs.ErrExist):
			return fmt.Errorf("the artifact %s cannot be kept: %w", a.with.Name, err)
		case !a.with.Overwrite:
			return a.taken()
		}
		old := filepath.Join(filepath.Dir(to), ".old-"+rand.Text())
		if err := os.Rename(to, old); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("the artifact %s cannot be replaced: %w", a.with.Name, err)
		}
		_ = os.RemoveAll(old)
	}
	return fmt.Errorf("the artifact %s cannot be replaced: others keep writing it", a.with.Name)
}

// Plan names the files.
func (a *upload) Plan(ctx context.Context, s *pipeline.Scope) ([]pipeline.Effect, error) {
	got, err := files.Pick(ctx, s, files.Options{Patterns: a.patterns, Hidden: a.with.Hidden})
	if err != nil {
		return nil, err
	}
	if len(got.Files) == 0 {
		return []pipeline.Effect{pipeline.Effect(s.Mask(fmt.Sprintf(
			"would keep what is at %s then as the artifact %s: nothing is there now", a.asked(), a.with.Name)))}, nil
	}
	out := []pipeline.Effect{pipeline.Effect(s.Mask(fmt.Sprintf("would keep %s from %s as the artifact %s:", diag.Count(len(got.Files), "file"), short(s, got.Base), a.with.Name)))}
	for i, f := range got.Files {
		if i == shown {
			out = append(out, pipeline.Effect(fmt.Sprintf("  and %d more", len(got.Files)-shown)))
			break
		}
		out = append(out, pipeline.Effect("  "+s.Mask(f.Rel)))
	}
	return out, nil
}

// shown is how many files a dry run names.
const shown = 20

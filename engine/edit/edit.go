// Package edit changes the files of a project in place: what is asked for, and
// not one byte besides.
//
// Start with File, or Read where a person decides what is written; Flag and
// Cron are the changes that commands make.
package edit

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/redundctl/redundctl/engine/source"
)

// ErrChanged says that a file is no longer what it was when it was read.
var ErrChanged = errors.New("somebody else has just changed it: try again")

// Text is a file as it was read.
type Text struct {
	Path  string // as it was asked for
	Bytes []byte

	target string // where the path leads
	info   os.FileInfo
}

// Read reads a file that may be changed: one that a link leads to is that file.
func Read(path string) (*Text, error) {
	t := &Text{Path: path}
	var err error
	if t.target, err = filepath.EvalSymlinks(path); err == nil {
		t.info, err = os.Stat(t.target)
	}
	if err == nil && !t.info.Mode().IsRegular() {
		err = errors.New("it is not a regular file")
	}
	if err == nil {
		t.Bytes, err = os.ReadFile(t.target)
	}
	if err != nil {
		return nil, fmt.Errorf("editing %s: %w", path, err)
	}
	return t, nil
}

// Writable reports what keeps the file from being changed, before anybody has
// taken the trouble.
func (t *Text) Writable() error {
	for _, path := range []string{t.target, filepath.Dir(t.target)} {
		if err := unix.Access(path, unix.W_OK); err != nil {
			return fmt.Errorf("editing %s: %s cannot be written: %w: change its mode, or be another user", t.Path, path, err)
		}
	}
	return nil
}

// Write puts a text in the place of the file's. Whoever reads it meanwhile
// reads the old text or the new one, whole; its mode and owner stay, and a link
// goes on to where it goes. The error is ErrChanged when somebody else has
// changed the file since it was read.
func (t *Text) Write(after []byte) error {
	target, err := filepath.EvalSymlinks(t.Path)
	if err == nil && target == t.target {
		var now []byte
		if now, err = os.ReadFile(target); err == nil && bytes.Equal(now, t.Bytes) {
			return replace(target, t.info, after)
		}
	}
	return fmt.Errorf("editing %s: %w", t.Path, ErrChanged)
}

// File changes a file, as Write does.
func File(path string, change func(*source.File) ([]byte, error)) error {
	t, err := Read(path)
	if err != nil {
		return err
	}
	f, problems := source.Parse(path, t.Bytes, source.Limits{})
	if len(problems) > 0 {
		return fmt.Errorf("%s:%d:%d: %s: mend it first, redundctl validate shows it", path, problems[0].Line, problems[0].Column, problems[0].Message)
	}
	after, err := change(f)
	if err != nil || bytes.Equal(t.Bytes, after) {
		return err
	}
	return t.Write(after)
}

// replace puts a text in the place of a file.
func replace(path string, info os.FileInfo, text []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".redund-edit-")
	if err != nil {
		return fmt.Errorf("editing %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("editing %s: %w", path, err), os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(text)
	err = errors.Join(err, f.Chmod(info.Mode().Perm()), own(f, info), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// Flag sets a key that is true or false; one that is not there is written after
// the name, or where there is none after the version.
func Flag(f *source.File, path []any, on bool) ([]byte, error) {
	value := fmt.Sprint(on)
	if there(f.Value, path) {
		return f.Set(path, value)
	}
	if len(path) != 1 {
		return nil, fmt.Errorf("%s is not in %s: write it there by hand", key(path), f.Name)
	}
	after := "name"
	if !there(f.Value, []any{after}) {
		after = "version"
	}
	return f.Insert([]any{after}, key(path), value)
}

// Cron sets the cron of the schedule at an index, or of the only one when index
// is below 0.
func Cron(f *source.File, index int, cron string) ([]byte, error) {
	root, _ := f.Value.(map[string]any)
	path := []any{"schedule"}
	switch list := root["schedule"].(type) {
	case nil:
		return nil, fmt.Errorf("%s has no schedule: write one, as schedule: {cron: %q}", f.Name, cron)
	case []any:
		if index < 0 && len(list) > 1 {
			return nil, fmt.Errorf("%s has %d schedules: say which one with --index, from 0", f.Name, len(list))
		}
		if index = max(index, 0); index >= len(list) {
			return nil, fmt.Errorf("%s has %d schedules, and none with index %d", f.Name, len(list), index)
		}
		path = append(path, index)
	default:
		if index > 0 {
			return nil, fmt.Errorf("%s has one schedule, and none with index %d", f.Name, index)
		}
	}
	if !there(f.Value, append(path, "cron")) {
		return nil, fmt.Errorf("the schedule of %s has no cron: change every: by hand", f.Name)
	}
	return f.Set(append(path, "cron"), cron)
}

// there reports whether a value has something at a path.
func there(v any, path []any) bool {
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, _ := v.(map[string]any)
			x, ok := m[p]
			if !ok {
				return false
			}
			v = x
		case int:
			l, _ := v.([]any)
			if p >= len(l) {
				return false
			}
			v = l[p]
		}
	}
	return true
}

func key(path []any) string {
	var out []string
	for _, p := range path {
		out = append(out, fmt.Sprint(p))
	}
	return strings.Join(out, ".")
}

// Package edit changes the files of a project in place: what is asked for, and
// not one byte besides.
//
// Start with File; Flag and Cron are the changes that commands make.
package edit

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/redundctl/redundctl/engine/source"
)

// File changes a file. Whoever reads it meanwhile reads the old text or the new
// one, whole; its mode and owner stay, and a link goes on to where it goes. It
// fails when somebody else has changed the file since it was read.
func File(path string, change func(*source.File) ([]byte, error)) error {
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return fmt.Errorf("editing %s: %w", path, err)
	}
	info, err := os.Stat(target)
	if err != nil {
		return fmt.Errorf("editing %s: %w", path, err)
	}
	before, err := os.ReadFile(target)
	if err != nil {
		return fmt.Errorf("editing %s: %w", path, err)
	}
	f, problems := source.Parse(path, before, source.Limits{})
	if len(problems) > 0 {
		return fmt.Errorf("%s:%d:%d: %s: mend it first, redundctl validate shows it", path, problems[0].Line, problems[0].Column, problems[0].Message)
	}
	after, err := change(f)
	if err != nil || bytes.Equal(before, after) {
		return err
	}
	if now, err := os.ReadFile(target); err != nil || !bytes.Equal(now, before) {
		return fmt.Errorf("editing %s: somebody else has just changed it: try again", path)
	}
	return replace(target, info, after)
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

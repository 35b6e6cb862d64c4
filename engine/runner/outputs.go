package runner

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// The limits of section "Step kinds": of one output, and of all of a step.
const (
	oneOutput  = 1 << 20
	allOutputs = 4 << 20
)

// limited are outputs within the limits: text is cut between two characters,
// any other value is left out.
func limited(values map[string]any) (map[string]any, bool) {
	left, cut := allOutputs, false
	var out map[string]any
	for _, k := range slices.Sorted(maps.Keys(values)) {
		n := size(values[k])
		if room := min(oneOutput, left); n > room {
			cut, n = true, 0
			if out == nil {
				out = maps.Clone(values)
			}
			out[k] = nil
			if s, ok := values[k].(string); ok {
				out[k], n = strings.ToValidUTF8(s[:room], ""), room
			}
		}
		left -= n
	}
	if out == nil {
		out = values
	}
	return out, cut
}

// size is about how many bytes a value takes as JSON.
func size(v any) int {
	switch x := v.(type) {
	case string:
		return len(x)
	case map[string]any:
		n := 2
		for k, y := range x {
			n += len(k) + size(y) + 4
		}
		return n
	case []any:
		n := 2
		for _, y := range x {
			n += size(y) + 1
		}
		return n
	}
	return 8
}

// withheld are outputs as they are recorded: one that holds a secret is not.
func (r *run) withheld(values map[string]any) map[string]any {
	var out map[string]any
	for k, v := range values {
		key := r.mask(k)
		if key == k && !r.holds(v) {
			continue
		}
		if out == nil {
			out = maps.Clone(values)
		}
		delete(out, k)
		out[key] = Withheld
	}
	if out == nil {
		return values
	}
	return out
}

// holds reports whether a value holds a secret: in one of its texts, or in
// the JSON that it is recorded as.
func (r *run) holds(v any) bool {
	if s, ok := v.(string); ok {
		return r.job.Masker.Holds(s)
	}
	if r.inTexts(v) {
		return true
	}
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	return enc.Encode(v) != nil || r.job.Masker.Holds(b.String())
}

func (r *run) inTexts(v any) bool {
	switch x := v.(type) {
	case string:
		return r.job.Masker.Holds(x)
	case map[string]any:
		for k, y := range x {
			if r.job.Masker.Holds(k) || r.inTexts(y) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(x, r.inTexts)
	}
	return false
}

// merged is a and, over it, b: a new map.
func merged(a, b map[string]string) map[string]string {
	if len(b) == 0 {
		return a
	}
	out := make(map[string]string, len(a)+len(b))
	maps.Copy(out, a)
	maps.Copy(out, b)
	return out
}

func within(key string, err error) error { return fmt.Errorf("%s: %w", key, err) }

// inside gives an absolute path back when it lies below root after every link
// that exists on the way; what does not exist yet counts as a plain name.
func inside(root, path string) (string, error) {
	path = filepath.Clean(path)
	real, err := resolve(path)
	if err != nil {
		return "", fmt.Errorf("the path %s cannot be followed: %w", path, err)
	}
	home, err := filepath.EvalSymlinks(root)
	if err != nil {
		return "", fmt.Errorf("the project root cannot be read: %w", err)
	}
	if rel, err := filepath.Rel(home, real); err != nil || !filepath.IsLocal(rel) {
		return "", fmt.Errorf("the path %s lies outside the project: a path that an expression built must lie inside it", path)
	}
	return path, nil
}

// resolve follows the links of the longest part of a path that exists.
func resolve(path string) (string, error) {
	rest := ""
	for at := path; ; {
		real, err := filepath.EvalSymlinks(at)
		if err == nil {
			return filepath.Join(real, rest), nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		if _, lerr := os.Lstat(at); lerr == nil {
			return "", errors.New("a link on it leads nowhere")
		}
		parent := filepath.Dir(at)
		if parent == at {
			return "", err
		}
		rest, at = filepath.Join(filepath.Base(at), rest), parent
	}
}

// artifacts is where the steps of a run leave files that are kept.
func artifacts(temp string) string {
	if temp == "" {
		return ""
	}
	return filepath.Join(temp, "artifacts")
}

// Package artifact is the step kinds that keep files: `artifact/upload` and
// `artifact/download` between the steps of a run, and `cache` between runs.
//
// An artifact is a folder of its name in the directory that REDUND_ARTIFACTS
// names. What lies there is kept with the run when it ends, but for what holds a
// secret; nothing else is needed to hand it on, so a script may look into it, and
// the runner of workflows may give each run a directory of its own.
package artifact

import (
	_ "embed" // the schema fragments
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/pipeline"
)

//go:embed upload.json
var uploadFragment []byte

//go:embed download.json
var downloadFragment []byte

// Kinds are the step kinds `artifact/upload` and `artifact/download`, and
// `cache`.
func Kinds() []kind.Action { return []kind.Action{Upload(), Download(), Cache()} }

// Upload is the step kind `artifact/upload`.
func Upload() kind.Action {
	return kind.Define("artifact/upload", uploadFragment, func(w uploadWith, _ kind.Deps) (pipeline.Action, error) {
		if err := component(w.Name); err != nil {
			return nil, err
		}
		return &upload{with: w, patterns: lines(w.Path)}, nil
	})
}

// Download is the step kind `artifact/download`.
func Download() kind.Action {
	return kind.Define("artifact/download", downloadFragment, func(w downloadWith, _ kind.Deps) (pipeline.Action, error) {
		if w.Name != "" {
			if err := component(w.Name); err != nil {
				return nil, err
			}
		}
		if err := pattern(w.Pattern); err != nil {
			return nil, err
		}
		run, err := runID(w.RunID)
		return &download{with: w, run: run}, err
	})
}

// component reports what keeps a name from being one of a folder.
func component(name string) error {
	switch {
	case name == "" || name[0] == '.' || len(name) > 200:
		return fmt.Errorf("the name %q is none: write one of 1 to 200 letters that does not begin with a dot", name)
	case strings.ContainsAny(name, "/\\\x00\r\n"):
		return fmt.Errorf("the name %q has more than one part: leave out slashes and line ends", name)
	}
	return nil
}

// lines are the lines of `path`: a text, or a list of texts.
func lines(v any) []string {
	switch x := v.(type) {
	case string:
		return []string{x}
	case []any:
		var out []string
		for _, y := range x {
			if text, ok := y.(string); ok {
				out = append(out, text)
			}
		}
		return out
	}
	return nil
}

// store is the folder that the artifacts of a run lie in.
func store(s *pipeline.Scope) (string, error) {
	dir := kind.Variable(s.Env, "REDUND_ARTIFACTS")
	if dir == "" || !filepath.IsAbs(dir) {
		return "", errors.New("REDUND_ARTIFACTS names no directory: nothing can be kept here")
	}
	return dir, nil
}

// say tells one line.
func say(s *pipeline.Scope, format string, args ...any) {
	out := s.Out
	if out == nil {
		out = io.Discard
	}
	fmt.Fprintln(out, s.Mask(fmt.Sprintf(format, args...)))
}

// short is a path as people know it: from the step's directory on, if it lies
// below it.
func short(s *pipeline.Scope, path string) string {
	if rel, err := filepath.Rel(s.Dir, path); err == nil && filepath.IsLocal(rel) {
		return rel
	}
	return path
}

// there reports whether something lies at a path.
func there(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

package ecosystem

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/redundctl/redundctl/engine/kind"
)

// How far below a folder ecosystem files are looked for, and in how many folders.
const (
	deep = 2
	wide = 5000
)

// files are the ecosystem files of a search, in order.
func files(s kind.Search) ([]string, error) {
	at := s.Path
	if at == "" {
		at = s.Root
	}
	info, err := os.Stat(at)
	if err != nil {
		return nil, fmt.Errorf("looking for ecosystem files of PM2: %w", err)
	}
	if !info.IsDir() {
		return []string{at}, nil
	}
	w := &walk{}
	if err := w.folder(at, 0); err != nil {
		return nil, fmt.Errorf("looking for ecosystem files of PM2: %w", err)
	}
	slices.Sort(w.out)
	return w.out, nil
}

type walk struct {
	out  []string
	seen int
}

// folder looks through one; only the first must be readable.
func (w *walk) folder(dir string, depth int) error {
	if w.seen++; w.seen > wide {
		return nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil && depth == 0 {
		return err
	}
	for _, e := range entries {
		name := e.Name()
		path := filepath.Join(dir, name)
		switch {
		case strings.HasPrefix(name, "."), name == "node_modules", name == "vendor", name == "pipelines" && depth == 0:
		case e.IsDir():
			if depth < deep {
				_ = w.folder(path, depth+1)
			}
		case usual(name):
			if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
				w.out = append(w.out, path)
			}
		}
	}
	return nil
}

// usual reports whether a file is called as ecosystem files are.
func usual(name string) bool {
	name = strings.ToLower(name)
	ext := filepath.Ext(name)
	base := strings.TrimSuffix(name, ext)
	switch ext {
	case ".js", ".cjs", ".mjs":
		base, ok := strings.CutSuffix(base, ".config")
		return ok && about(base)
	case ".json", ".yaml", ".yml":
		return base == "process" || about(strings.TrimSuffix(base, ".config"))
	}
	return false
}

// about reports whether a name is ecosystem or pm2, or has that among its words,
// as ecosystem.prod and pm2-workers have.
func about(base string) bool {
	words := strings.FieldsFunc(base, func(r rune) bool { return r == '.' || r == '-' || r == '_' })
	return slices.Contains(words, "ecosystem") || slices.Contains(words, "pm2")
}

package function

import (
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Load reads a file that is no larger than a source may be.
func Load(file string) ([]byte, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, fmt.Errorf("it cannot be read: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is no file")
	}
	if info.Size() > Limit {
		return nil, fmt.Errorf("%w: %d bytes, where %d are the most", ErrLarge, info.Size(), Limit)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("it cannot be read: %w", err)
	}
	return text, nil
}

// Script is where a script lies that a function's source names, relative to the
// root with forward slashes: from the root, where functions are run, or from the
// function's own folder. "": it is in neither.
func Script(root, function, name string) string {
	own, err := filepath.Rel(root, filepath.Dir(function))
	if err != nil {
		own = "."
	}
	for _, dir := range []string{".", filepath.ToSlash(own)} {
		rel := path.Join(dir, name)
		if rel == ".." || strings.HasPrefix(rel, "../") {
			continue
		}
		if _, err := os.Stat(filepath.Join(root, filepath.FromSlash(rel))); err == nil {
			return rel
		}
	}
	if i := strings.LastIndex(name, "../"); i >= 0 { // from a folder that only the function knows
		return Script(root, function, name[i+3:])
	}
	return ""
}

// Installed reports whether node finds a package from a function's file, or has
// it itself. @netlify/functions counts as installed: it is stood in for.
func Installed(function, name string) bool {
	if builtin(name) || name == helpers || strings.HasPrefix(name, "#") {
		return true
	}
	for dir := filepath.Dir(function); ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "node_modules", filepath.FromSlash(name))); err == nil {
			return true
		}
		if dir == filepath.Dir(dir) {
			return false
		}
	}
}

// builtin reports whether a module is node's own (node 22's list of those that
// need no prefix).
func builtin(name string) bool {
	switch name {
	case "assert", "async_hooks", "buffer", "child_process", "cluster", "console", "constants", "crypto", "dgram", "diagnostics_channel", "dns", "domain",
		"events", "fs", "http", "http2", "https", "inspector", "module", "net", "os", "path", "perf_hooks", "process", "punycode", "querystring", "readline",
		"repl", "stream", "string_decoder", "sys", "timers", "tls", "trace_events", "tty", "url", "util", "v8", "vm", "wasi", "worker_threads", "zlib":
		return true
	}
	return false
}

package kind

import (
	"os"
	"path/filepath"
	"strings"
)

// FindPlugin finds the executable of a plugin in a list of folders as PATH is
// one; "": it is in none. An entry that is relative or lies within the project
// at root is passed over: what a checkout brings must not become a program by
// its name alone.
func FindPlugin(name, root, path string) string {
	if name == "" || strings.ContainsAny(name, "/\x00") {
		return ""
	}
	if real, err := filepath.EvalSymlinks(root); err == nil {
		root = real
	}
	for _, dir := range filepath.SplitList(path) {
		file, err := filepath.EvalSymlinks(filepath.Join(dir, "redund-step-"+name))
		if err != nil || !filepath.IsAbs(dir) || Within(root, dir) || Within(root, file) {
			continue
		}
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return file
		}
	}
	return ""
}

// Within reports whether a path is root or lies below it, by their names.
func Within(root, path string) bool {
	rel, err := filepath.Rel(root, path)
	return err == nil && filepath.IsLocal(rel)
}

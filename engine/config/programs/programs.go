// Package programs answers which programs a machine has, and what the words of
// a simple line of shell are. It starts none.
package programs

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// Set is the programs of a PATH, each looked for once. It may be used by
// several goroutines.
type Set struct {
	Path  string
	known sync.Map // by name: where they are, or ""
}

// Look finds a program: by its path from dir, or in PATH. "": it is not there.
func (s *Set) Look(name, dir string) string {
	runs := func(path string) bool {
		info, err := os.Stat(path)
		return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
	}
	if strings.Contains(name, "/") {
		if !filepath.IsAbs(name) {
			name = filepath.Join(dir, name)
		}
		if runs(name) {
			return name
		}
		return ""
	}
	if known, ok := s.known.Load(name); ok {
		return known.(string)
	}

	found := ""
	for _, d := range filepath.SplitList(s.Path) {
		if p := filepath.Join(d, name); filepath.IsAbs(d) && runs(p) {
			found = p
			break
		}
	}
	s.known.Store(name, found)
	return found
}

// Simple reports whether a line is one program with plain words: no
// expression, variable, quote, pipe or anything else that a shell acts on.
func Simple(line string) bool {
	return !strings.ContainsAny(line, "$`\"'\\|&;<>(){}[]*?#~=!%") && line != ""
}

// Builtin reports whether a shell knows a word itself.
func Builtin(word string) bool {
	return slices.Contains(strings.Fields(". : alias bg break cd command continue echo eval exec exit export false fg getopts hash jobs kill local "+
		"printf pwd read readonly return set shift source test times trap true type ulimit umask unalias unset wait if for while until case function time"), word)
}

// Interpreter reports whether a program runs the script file that is its first
// argument.
func Interpreter(name string) bool {
	return slices.Contains([]string{"node", "bash", "sh", "python", "python3", "ruby", "perl", "deno", "bun"}, filepath.Base(name))
}

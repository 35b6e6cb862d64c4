// Package programs answers which programs a machine has, and what the words of
// a simple line of shell are. It starts none.
package programs

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/redundctl/redundctl/engine/config/files"
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
		if name = files.Under(dir, name); runs(name) {
			return name
		}
		return ""
	}
	return s.Known(name, func() string {
		for _, d := range filepath.SplitList(s.Path) {
			if p := filepath.Join(d, name); filepath.IsAbs(d) && runs(p) {
				return p
			}
		}
		return ""
	})
}

// Known is what look finds for a name, which is looked for once.
func (s *Set) Known(name string, look func() string) string {
	if known, ok := s.known.Load(name); ok {
		return known.(string)
	}
	found := look()
	s.known.Store(name, found)
	return found
}

// Lack is what a machine does not have of a command, and which of its words
// names it.
type Lack struct {
	Word                int
	Rule, Message, Hint string
}

// Missing finds the program of a command that is not there, or the script that
// it interprets. What an expression will give is not known.
func (s *Set) Missing(words []string, dir string) (Lack, bool) {
	if len(words) == 0 || strings.Contains(words[0], "${{") || Builtin(words[0]) {
		return Lack{}, false
	}
	if s.Look(words[0], dir) == "" {
		if _, err := os.Stat(files.Under(dir, words[0])); strings.Contains(words[0], "/") && err == nil {
			return Lack{Rule: "missing-program", Message: words[0] + " is not executable", Hint: "run chmod +x on it"}, true
		}
		return Lack{Rule: "missing-program", Message: "there is no program " + words[0] + " on this machine",
			Hint: "install it, or give its path; the step fails until then"}, true
	}
	if len(words) < 2 || !Interpreter(words[0]) {
		return Lack{}, false
	}
	script := words[1]
	if strings.HasPrefix(script, "-") || strings.Contains(script, "${{") || !strings.Contains(filepath.Base(script), ".") {
		return Lack{}, false
	}
	_, err := os.Stat(files.Under(dir, script))
	return Lack{Word: 1, Rule: "missing-script", Message: "there is no script " + script,
		Hint: "check its path from the step's working directory; the step fails until it is there"}, err != nil
}

// Simple reports whether a script is one line, and that one program with plain
// words: no expression, variable, quote, pipe or anything else that a shell
// acts on.
func Simple(script string) bool {
	line := strings.TrimSpace(script)
	return !strings.ContainsAny(line, "\n$`\"'\\|&;<>(){}[]*?#~=!%") && line != ""
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

package config

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/source"
)

// checkPrograms says which programs and script files of steps this machine
// does not have: of `exec` its first item, of `run` the words of simple lines.
func (f *file) checkPrograms(steps []pipeline.Step, at []any) {
	for i := range steps {
		s := &steps[i]
		dir := f.directory(s)
		if dir == "" {
			continue
		}
		switch {
		case len(s.Exec) > 0:
			f.checkWords(s.Exec, dir, func(word int) source.Pos { return f.source.At(below(at, i, "exec", word)) })
		case s.Run != "" && (s.Shell == "" || s.Shell == "bash" || s.Shell == "sh") && !strings.Contains(s.Run, "\n"):
			words := strings.Fields(s.Run)
			if !simple(s.Run) {
				continue
			}
			f.checkWords(words, dir, func(word int) source.Pos {
				return f.source.InString(below(at, i, "run"), strings.Index(s.Run, words[word]), len(words[word]))
			})
		}
	}
}

// simple reports whether a line is one program with plain words: no
// expression, variable, quote, pipe or anything else that a shell acts on.
func simple(line string) bool {
	return !strings.ContainsAny(line, "$`\"'\\|&;<>(){}[]*?#~=!%") && line != ""
}

// builtins are words that a shell knows itself.
func builtins() []string {
	return strings.Fields(". : alias bg break cd command continue echo eval exec exit export false fg getopts hash jobs kill local " +
		"printf pwd read readonly return set shift source test times trap true type ulimit umask unalias unset wait if for while until case function time")
}

// interpreters run the script file that is their first word.
func interpreters() []string {
	return []string{"node", "bash", "sh", "python", "python3", "ruby", "perl", "deno", "bun"}
}

func (f *file) checkWords(words []string, dir string, at func(word int) source.Pos) {
	if len(words) == 0 || strings.Contains(words[0], "${{") || slices.Contains(builtins(), words[0]) {
		return
	}
	say := func(word int, rule, message, hint string) {
		f.say(at(word), diag.Warning, rule, message, hint)
	}
	if f.look(words[0], dir) == "" {
		if _, err := os.Stat(filepath.Join(dir, words[0])); strings.Contains(words[0], "/") && err == nil {
			say(0, "missing-program", fmt.Sprintf("%s is not executable", words[0]), "run chmod +x on it")
			return
		}
		say(0, "missing-program", fmt.Sprintf("there is no program %s on this machine", words[0]), "install it, or give its path; the step fails until then")
		return
	}
	if len(words) < 2 || !slices.Contains(interpreters(), filepath.Base(words[0])) {
		return
	}
	script := words[1]
	if strings.HasPrefix(script, "-") || strings.Contains(script, "${{") || !strings.Contains(filepath.Base(script), ".") {
		return
	}
	full := script
	if !filepath.IsAbs(full) {
		full = filepath.Join(dir, script)
	}
	if _, err := os.Stat(full); err != nil {
		say(1, "missing-script", fmt.Sprintf("there is no script %s", script), "check its path from the step's working directory; the step fails until it is there")
	}
}

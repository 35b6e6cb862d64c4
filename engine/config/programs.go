package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/redundctl/redundctl/engine/config/programs"
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
			if !programs.Simple(s.Run) {
				continue
			}
			f.checkWords(words, dir, func(word int) source.Pos {
				return f.source.InString(below(at, i, "run"), strings.Index(s.Run, words[word]), len(words[word]))
			})
		}
	}
}

func (f *file) checkWords(words []string, dir string, at func(word int) source.Pos) {
	if len(words) == 0 || strings.Contains(words[0], "${{") || programs.Builtin(words[0]) {
		return
	}
	say := func(word int, rule, message, hint string) {
		f.say(at(word), diag.Warning, rule, message, hint)
	}
	if f.programs.Look(words[0], dir) == "" {
		if _, err := os.Stat(filepath.Join(dir, words[0])); strings.Contains(words[0], "/") && err == nil {
			say(0, "missing-program", fmt.Sprintf("%s is not executable", words[0]), "run chmod +x on it")
			return
		}
		say(0, "missing-program", fmt.Sprintf("there is no program %s on this machine", words[0]), "install it, or give its path; the step fails until then")
		return
	}
	if len(words) < 2 || !programs.Interpreter(words[0]) {
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

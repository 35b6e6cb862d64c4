package check

import (
	"strings"

	"github.com/redundctl/redundctl/engine/config/programs"
	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/source"
)

// checkPrograms says which programs and script files of steps this machine
// does not have: of `exec` its first item, of `run` the words of simple lines.
func (f *File) checkPrograms(steps []pipeline.Step, at []any) {
	if _, own := f.Pipeline.Env["PATH"]; own {
		return
	}
	for i := range steps {
		s := &steps[i]
		_, own := s.Env["PATH"]
		if dir := f.directory(s); dir != "" && !own && f.there(dir) {
			f.checkExec(s.Exec, dir, Below(at, i, "exec"))
			f.checkRun(s.Run, s.Shell, dir, Below(at, i, "run"))
			f.checkShell(s.Shell, dir, Below(at, i, "shell"))
		}
	}
}

// checkOthers does so for the service, and for the script of a primary, which
// runs in the project root.
func (f *File) checkOthers() {
	if p := f.Pipeline.Primary; p != nil {
		script, _ := p.With["run"].(string)
		f.checkRun(script, "", f.Root, place("primary", p.Kind, "run"))
	}
	if s := f.Pipeline.Service; s != nil {
		if dir := f.directory(&pipeline.Step{}); dir != "" && f.there(dir) {
			f.checkExec(s.Exec, dir, place("service", "exec"))
			f.checkRun(s.Run, s.Shell, dir, place("service", "run"))
			f.checkShell(s.Shell, dir, place("service", "shell"))
		}
	}
}

func (f *File) checkExec(argv []string, dir string, at []any) {
	f.checkWords(argv, dir, func(word int) source.Pos { return f.source.At(Below(at, word)) })
}

// checkRun looks at scripts of one simple line, which say what they start.
func (f *File) checkRun(script, shell, dir string, at []any) {
	if !programs.Simple(script) || shell != "" && shell != "bash" && shell != "sh" {
		return
	}
	words := strings.Fields(script)
	f.checkWords(words, dir, func(word int) source.Pos {
		return f.source.InString(at, strings.Index(script, words[word]), len(words[word]))
	})
}

// checkShell looks for the program of a shell that is asked for by name.
func (f *File) checkShell(shell, dir string, at []any) {
	words := strings.Fields(shell)
	if len(words) == 0 || strings.ContainsAny(words[0], `"'\{$`) {
		return
	}
	if words[0] == "python" && f.Programs.Look("python", dir) == "" {
		words[0] = "python3" // which runs it then
	}
	f.checkWords(words[:1], dir, func(int) source.Pos { return f.source.At(at) })
}

func (f *File) checkWords(words []string, dir string, at func(word int) source.Pos) {
	f.Outside = true
	if x, missing := f.Programs.Missing(words, dir); missing {
		f.say(at(x.Word), diag.Warning, x.Rule, x.Message, x.Hint)
	}
}

package shell

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/mattn/go-shellwords"
)

// placeholder stands for the script's file in a shell's command.
const placeholder = "{0}"

// command is how a script is run.
type command struct {
	template  []string // with {0}
	path      string   // of the program, where it was looked for already; "": nobody did
	extension string   // of the script's file, where the program asks for one
	before    string   // goes before and after the script
	after     string
}

// shell gives the command of what `shell:` says, as GitHub Actions knows it: a
// name with the options that it gives it, or a command with {0}.
func (f *finder) shell(shell string, env []string) (command, error) {
	switch strings.TrimSpace(shell) {
	case "":
		if path := f.onPath("bash", env); path != "" {
			return command{template: []string{"bash", "-eo", "pipefail", placeholder}, path: path}, nil
		}
		return command{template: []string{"sh", "-e", placeholder}, path: f.onPath("sh", env)}, nil
	case "bash":
		return command{template: []string{"bash", "--noprofile", "--norc", "-eo", "pipefail", placeholder}, path: f.onPath("bash", env)}, nil
	case "sh":
		return command{template: []string{"sh", "-e", placeholder}, path: f.onPath("sh", env)}, nil
	case "python":
		name := "python"
		if f.onPath(name, env) == "" && f.onPath("python3", env) != "" {
			name = "python3"
		}
		return command{template: []string{name, placeholder}, extension: ".py"}, nil
	case "node":
		return command{template: []string{"node", placeholder}}, nil
	case "pwsh":
		return command{
			template:  []string{"pwsh", "-command", ". '" + placeholder + "'"},
			extension: ".ps1",
			before:    "$ErrorActionPreference = 'stop'\n",
			after:     "\nif ((Test-Path -LiteralPath variable:\\LASTEXITCODE)) { exit $LASTEXITCODE }\n",
		}, nil
	}
	if !strings.Contains(shell, placeholder) {
		return command{}, fmt.Errorf("shell: %q is none of bash, sh, python, node and pwsh, and names no place for the script: write it as a command with {0}, as in %q", shell, shell+" {0}")
	}
	words, err := shellwords.Parse(shell)
	if err != nil || len(words) == 0 {
		return command{}, fmt.Errorf("shell: %q cannot be split into words: check its quotes", shell)
	}
	return command{template: words}, nil
}

func (c command) argv(file string) []string {
	argv := make([]string, len(c.template))
	for i, w := range c.template {
		argv[i] = strings.ReplaceAll(w, placeholder, file)
	}
	return argv
}

func (c command) wrap(text string) string { return c.before + text + c.after }

// String is the command without the script's place.
func (c command) String() string {
	last := len(c.template) - 1
	if last > 0 && c.template[last] == placeholder {
		return strings.Join(c.template[:last], " ")
	}
	return strings.Join(c.template, " ")
}

// finder remembers where shells lie: to ask every folder of PATH again for each
// step costs a twentieth of it. The zero value is ready for use, by several
// goroutines.
type finder struct {
	known sync.Map // of where to the path of a program
	count atomic.Int64
}

// mostKept is how many places are remembered: steps may make PATHs without end.
const mostKept = 1000

// where is what was looked for.
type where struct{ name, path string }

// onPath is where the step would find a program, or "".
func (f *finder) onPath(name string, env []string) string {
	at := where{name: name}
	for _, v := range env {
		if p, ok := strings.CutPrefix(v, "PATH="); ok {
			at.path = p
		}
	}
	if file, ok := f.known.Load(at); ok && executable(file.(string)) {
		return file.(string)
	}
	for _, dir := range filepath.SplitList(at.path) {
		if file := filepath.Join(dir, name); filepath.IsAbs(dir) && executable(file) {
			if f.count.Add(1) > mostKept {
				f.known.Clear()
				f.count.Store(1)
			}
			f.known.Store(at, file)
			return file
		}
	}
	return ""
}

func executable(file string) bool {
	info, err := os.Stat(file)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

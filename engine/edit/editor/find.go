package editor

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// An Editor is a program and its first arguments; the file follows them.
type Editor struct {
	Argv []string
	// Chosen is the variable that names it; "": nobody chose it, and it needs
	// a terminal.
	Chosen string
}

// Find gives the editor that a person wants: of $VISUAL, of $EDITOR, or else vi
// or nano. Nothing in a variable is given to a shell.
func Find(getenv func(string) string) (Editor, error) {
	for _, name := range []string{"VISUAL", "EDITOR"} {
		value := strings.TrimSpace(getenv(name))
		if value == "" {
			continue
		}
		argv, err := words(value)
		if _, whole := exec.LookPath(value); whole == nil {
			argv, err = []string{value}, nil // a path with spaces in it
		}
		if err != nil || len(argv) == 0 || argv[0] == "" {
			return Editor{}, fmt.Errorf("$%s is %q, which names no program: write it as %s='code --wait'", name, value, name)
		}
		if _, err := exec.LookPath(argv[0]); err != nil {
			return Editor{}, fmt.Errorf("$%s names the editor %s, which is not on this machine: install it, or set %s to another", name, argv[0], name)
		}
		if flag := returns(argv); flag != "" {
			return Editor{}, fmt.Errorf("%s does not wait until you have closed the file: set %s='%s %s'", argv[0], name, value, flag)
		}
		return Editor{Argv: argv, Chosen: name}, nil
	}
	for _, name := range []string{"vi", "nano"} {
		if _, err := exec.LookPath(name); err == nil {
			return Editor{Argv: []string{name}}, nil
		}
	}
	return Editor{}, errors.New("there is no editor: set EDITOR to one, as EDITOR=nano; neither vi nor nano is on this machine")
}

// returns gives the flag that is missing from an editor which hands a file to a
// window of its own and returns at once: it would look as if nothing had been
// changed. "": none is.
func returns(argv []string) string {
	var flags []string
	switch name := filepath.Base(argv[0]); name {
	case "code", "code-insiders", "codium", "cursor", "windsurf", "zed", "subl", "atom":
		flags = []string{"--wait", "-w"}
	case "mate":
		flags = []string{"-w", "--wait"}
	case "gedit", "gnome-text-editor":
		flags = []string{"--wait", "-w", "-s", "--standalone"}
	case "kate":
		flags = []string{"--block", "-b"}
	case "gvim", "mvim":
		flags = []string{"-f", "--nofork"}
	}
	if flags == nil || slices.ContainsFunc(argv[1:], func(a string) bool { return slices.Contains(flags, a) }) {
		return ""
	}
	return flags[0]
}

// words splits a command into its words as a shell does, and does nothing else
// that a shell does: quotes keep spaces, a backslash keeps what follows it.
func words(text string) ([]string, error) {
	var out []string
	var word strings.Builder
	var quote rune
	begun, kept := false, false
	for _, r := range text {
		switch {
		case kept:
			word.WriteRune(r)
			kept = false
		case r == '\\' && quote != '\'':
			begun, kept = true, true
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(r)
		case r == '\'' || r == '"':
			begun, quote = true, r
		case r == ' ' || r == '\t' || r == '\n':
			if begun {
				out = append(out, word.String())
				word.Reset()
			}
			begun = false
		default:
			begun = true
			word.WriteRune(r)
		}
	}
	if quote != 0 || kept {
		return nil, errors.New("a quote is not closed")
	}
	if begun {
		out = append(out, word.String())
	}
	return out, nil
}

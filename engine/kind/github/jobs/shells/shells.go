// Package shells is how GitHub runs scripts, and the files in which they hand
// values on.
package shells

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"github.com/mattn/go-shellwords"
	"golang.org/x/sys/unix"

	"github.com/redundctl/redundctl/engine/kind/github/workflow"
	"github.com/redundctl/redundctl/engine/pairs"
)

// Shell is how a script is run.
type Shell struct {
	argv          []string // with {0}
	Extension     string   // of the script's file
	before, after string
}

// Of gives the command of what `shell` says, as GitHub has it.
func Of(name string, has func(program string) bool) (Shell, error) {
	switch name = strings.TrimSpace(name); name {
	case "":
		if has("bash") {
			return Shell{argv: []string{"bash", "-e", "{0}"}, Extension: ".sh"}, nil
		}
		return Shell{argv: []string{"sh", "-e", "{0}"}, Extension: ".sh"}, nil
	case "bash":
		return Shell{argv: []string{"bash", "--noprofile", "--norc", "-eo", "pipefail", "{0}"}, Extension: ".sh"}, nil
	case "sh":
		return Shell{argv: []string{"sh", "-e", "{0}"}, Extension: ".sh"}, nil
	case "python":
		if !has("python") && has("python3") {
			return Shell{argv: []string{"python3", "{0}"}, Extension: ".py"}, nil
		}
		return Shell{argv: []string{"python", "{0}"}, Extension: ".py"}, nil
	case "pwsh":
		return Shell{
			argv: []string{"pwsh", "-command", ". '{0}'"}, Extension: ".ps1", before: "$ErrorActionPreference = 'stop'\n",
			after: "\nif ((Test-Path -LiteralPath variable:\\LASTEXITCODE)) { exit $LASTEXITCODE }\n",
		}, nil
	}
	if why := workflow.NoShell(name); why != "" {
		return Shell{}, errors.New("it cannot run here: shell: " + why)
	}
	words, err := shellwords.Parse(name)
	if err != nil || len(words) == 0 {
		return Shell{}, fmt.Errorf("shell: %q cannot be split into words", name)
	}
	return Shell{argv: words}, nil
}

// Command is the program with its arguments for a script's file.
func (s Shell) Command(file string) []string {
	out := make([]string, len(s.argv))
	for i, w := range s.argv {
		out[i] = strings.ReplaceAll(w, "{0}", file)
	}
	return out
}

// String is the command without the script's place.
func (s Shell) String() string {
	return strings.TrimSuffix(strings.Join(s.argv, " "), " {0}")
}

// Wrap is a script as the shell wants it.
func (s Shell) Wrap(text string) string { return s.before + text + s.after }

// Itself reports whether the script is the program that is started.
func (s Shell) Itself() bool { return strings.HasPrefix(s.argv[0], "{0}") }

// Write makes a file; none is forked meanwhile that would hold it open, or a
// script that is started itself would be "busy".
func Write(path, text string, program bool) error {
	mode := os.FileMode(0o600)
	if program {
		mode = 0o700
	}
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return os.WriteFile(path, []byte(text), mode)
}

// Read is pairs.Read, which is not asked of what is empty.
func Read(path string, check func(string) error) (map[string]string, bool, error) {
	if info, err := os.Lstat(path); err != nil || info.Mode().IsRegular() && info.Size() == 0 {
		return nil, false, nil //nolint:nilerr // a step may take its files away
	}
	return pairs.Read(path, check)
}

// Refuse are names that GITHUB_ENV may not set.
func Refuse(name string) error {
	switch {
	case name == "NODE_OPTIONS":
		return errors.New("NODE_OPTIONS may not be set for other steps, as on GitHub")
	case strings.HasPrefix(name, "REDUND_"):
		return fmt.Errorf("%s is set by redundctl alone", name)
	case strings.ContainsRune(name, 0):
		return errors.New("a name holds a NUL byte")
	}
	return nil
}

// mostText is how much of a file of a step is read.
const mostText = 1 << 20

// Content is a file that is still one, up to 1 MiB.
func Content(path string) string {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
		return ""
	}
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return ""
	}
	defer f.Close()
	b := make([]byte, min(info.Size(), mostText))
	n, _ := f.Read(b)
	return string(b[:n])
}

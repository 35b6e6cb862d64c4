package shell

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/redundctl/redundctl/engine/pipeline"
)

// template is what one `shell:` is tried with: scripts in its own language.
type template struct {
	shell   string
	program string // must be there, else the case is left out
	hands   string // sets the outputs one and two, and X for later steps
	fails   string // exits with 7
	broken  string // one of its commands fails, then `after` is printed
	goesOn  bool   // broken is no failure: nothing told the shell to stop
}

func templates() []template {
	const (
		sh     = "echo one=a=b >> \"$REDUND_OUTPUT\"\nprintf 'two<<END\\nx\\ny\\nEND\\n' >> \"$REDUND_OUTPUT\"\necho X=1 >> \"$REDUND_ENV\"\necho said\n"
		python = "import os\nwith open(os.environ['REDUND_OUTPUT'], 'a') as f:\n    f.write('one=a=b\\ntwo<<END\\nx\\ny\\nEND\\n')\nwith open(os.environ['REDUND_ENV'], 'a') as f:\n    f.write('X=1\\n')\nprint('said')\n"
		node   = "const fs = require('fs')\nfs.appendFileSync(process.env.REDUND_OUTPUT, 'one=a=b\\ntwo<<END\\nx\\ny\\nEND\\n')\nfs.appendFileSync(process.env.REDUND_ENV, 'X=1\\n')\nconsole.log('said')\n"
		broken = "false\necho after\n"
	)
	return []template{
		{shell: "", program: "bash", hands: sh, fails: "exit 7", broken: broken},
		{shell: "bash", program: "bash", hands: sh, fails: "exit 7", broken: broken},
		{shell: "sh", program: "sh", hands: sh, fails: "exit 7", broken: broken},
		{shell: "python", program: "python3", hands: python, fails: "import sys\nsys.exit(7)", broken: "raise ValueError('no')\nprint('after')\n"},
		{shell: "node", program: "node", hands: node, fails: "process.exit(7)", broken: "throw new Error('no')\nconsole.log('after')\n"},
		// A command of the user's gets no option that it does not name.
		{shell: "bash {0}", program: "bash", hands: sh, fails: "exit 7", broken: broken, goesOn: true},
		{shell: "bash -e {0} 'two words'", program: "bash", hands: `test "$#:$1" = "1:two words"` + "\n" + sh, fails: "exit 7", broken: broken},
		{shell: "sh -c '. {0}'", program: "sh", hands: sh, fails: "exit 7", broken: broken, goesOn: true},
	}
}

// TestShells runs a script in each shell that `run:` knows, and in commands of
// the user's: its outputs come back, and its failure is the step's.
func TestShells(t *testing.T) {
	t.Parallel()
	for _, c := range templates() {
		t.Run(c.shell, func(t *testing.T) {
			t.Parallel()
			if _, err := exec.LookPath(c.program); err != nil {
				t.Skipf("%s is not installed", c.program)
			}
			o, out, err := run(t, map[string]any{"run": c.hands, "shell": c.shell})
			if err != nil || o.Values["one"] != "a=b" || o.Values["two"] != "x\ny" || o.Env["X"] != "1" || out != "said\n" {
				t.Errorf("it handed on %v and %v, printed %q: %v", o.Values, o.Env, out, err)
			}
			var exit *pipeline.Exit
			if _, _, err = run(t, map[string]any{"run": c.fails, "shell": c.shell}); !errors.As(err, &exit) || exit.Code != 7 {
				t.Errorf("exit 7 gave %v", err)
			}
			_, out, err = run(t, map[string]any{"run": c.broken, "shell": c.shell})
			if went := strings.Contains(out, "after"); went != c.goesOn || (err == nil) != c.goesOn {
				t.Errorf("after a failure it printed %q: %v", out, err)
			}
		})
	}
}

// TestScriptAsProgram: a command that begins with {0} starts the script itself.
// It runs alone: while another test forks, the new program could still be held
// open for writing.
func TestScriptAsProgram(t *testing.T) {
	o, _, err := run(t, map[string]any{"run": "#!/bin/sh\necho \"a=$1\" >> \"$REDUND_OUTPUT\"", "shell": "{0} word"})
	if err != nil || o.Values["a"] != "word" {
		t.Errorf("%v, %v", o.Values, err)
	}
	var exit *pipeline.Exit
	if _, _, err := run(t, map[string]any{"run": "#!/bin/sh\nexit 7", "shell": "{0}"}); !errors.As(err, &exit) || exit.Code != 7 {
		t.Error(err)
	}
}

// TestOutputsBeforeFailure: what a script wrote before it failed is handed on,
// as GitHub does it; the failure stays one.
func TestOutputsBeforeFailure(t *testing.T) {
	t.Parallel()
	o, _, err := run(t, map[string]any{"run": "echo a=1 >> \"$REDUND_OUTPUT\"\nexit 3", "shell": "sh"})
	if err == nil || o.Values["a"] != "1" {
		t.Errorf("%v, %v", o.Values, err)
	}
}

// TestPipefail: with bash, and without `shell:`, a pipe fails with any of its
// parts; with sh and with a command of the user's only with the last.
func TestPipefail(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("bash is not installed")
	}
	for shell, fails := range map[string]bool{"": true, "bash": true, "sh": false, "bash -e {0}": false} {
		_, out, err := run(t, map[string]any{"run": "false | cat\necho after", "shell": shell})
		if (err != nil) != fails || strings.Contains(out, "after") == fails {
			t.Errorf("shell %q: it printed %q: %v", shell, out, err)
		}
	}
}

// TestNoBash: without bash in the step's own PATH the default is sh -e.
func TestNoBash(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("sh is not installed")
	}
	if err := os.Symlink(sh, filepath.Join(dir, "sh")); err != nil {
		t.Fatal(err)
	}
	for _, env := range [][]string{{"PATH=" + dir}, {"PATH=/nowhere:" + dir}} {
		c, err := new(finder).shell("", env)
		if err != nil || !slices.Equal(c.argv("F"), []string{"sh", "-e", "F"}) {
			t.Errorf("%q, %v", c.argv("F"), err)
		}
	}
	// A folder, or a file that cannot be executed, is not bash.
	if err := os.Mkdir(filepath.Join(dir, "bash"), 0o755); err != nil {
		t.Fatal(err)
	}
	if c, err := new(finder).shell("", []string{"PATH=" + dir}); err != nil || c.template[0] != "sh" {
		t.Errorf("%q, %v", c.template, err)
	}
}

// TestArgv holds the commands, those of programs that are not here included.
func TestArgv(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "python3"), []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for shell, want := range map[string][]string{
		"bash":               {"bash", "--noprofile", "--norc", "-eo", "pipefail", "F"},
		" sh ":               {"sh", "-e", "F"},
		"python":             {"python3", "F"},
		"node":               {"node", "F"},
		"pwsh":               {"pwsh", "-command", ". 'F'"},
		"perl -w {0}":        {"perl", "-w", "F"},
		"a --file={0} 'b c'": {"a", "--file=F", "b c"},
	} {
		c, err := new(finder).shell(shell, []string{"PATH=" + dir})
		if err != nil || !slices.Equal(c.argv("F"), want) {
			t.Errorf("shell %q: %q, %v", shell, c.argv("F"), err)
		}
	}
	// A command of PowerShell's own that fails ends the script, and so does the
	// exit code of the last program.
	c, err := new(finder).shell("pwsh", nil)
	if err != nil || c.extension != ".ps1" {
		t.Fatalf("%+v, %v", c, err)
	}
	if text := c.wrap("./build"); !strings.HasPrefix(text, "$ErrorActionPreference = 'stop'\n./build\n") || !strings.Contains(text, "exit $LASTEXITCODE") {
		t.Errorf("%q", text)
	}
}

// TestWrongShell: what cannot be a shell says what can.
func TestWrongShell(t *testing.T) {
	t.Parallel()
	for shell, want := range map[string]string{
		"fish":      `write it as a command with {0}, as in "fish {0}"`,
		"'bash {0}": "check its quotes",
	} {
		if _, _, err := run(t, map[string]any{"run": "true", "shell": shell}); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("shell %q: %v", shell, err)
		}
	}
}

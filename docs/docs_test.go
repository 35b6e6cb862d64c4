// Package docs holds the pages that people read. Its tests keep them true:
// every YAML block is validated and every command of a console block is run.
package docs

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// block is one fenced block of a page.
type block struct {
	page string
	line int
	info string // the words after the fence
	text string
}

func (b block) String() string { return fmt.Sprintf("%s:%d", b.page, b.line) }

// pages are the hand-written pages. problems.md has its own test beside the
// rules, and reference/ is generated from the schema.
func pages(t *testing.T) []string {
	t.Helper()
	list, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	out := []string{"../README.md", "../CONTRIBUTING.md"}
	for _, p := range list {
		if p != "problems.md" {
			out = append(out, p)
		}
	}
	return out
}

func blocks(t *testing.T, page string) []block {
	t.Helper()
	src, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var out []block
	var open *block
	for i, line := range strings.Split(string(src), "\n") {
		switch info, fence := strings.CutPrefix(line, "```"); {
		case fence && open == nil:
			open = &block{page: page, line: i + 1, info: info}
		case fence:
			out = append(out, *open)
			open = nil
		case open != nil:
			open.text += line + "\n"
		}
	}
	if open != nil {
		t.Errorf("%s: the block that begins here is never closed", open)
	}
	return out
}

// programs is the folder that the program is built into.
var programs string

func TestMain(m *testing.M) {
	var err error
	if programs, err = os.MkdirTemp("", "redundctl-docs-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1) //nolint:forbidigo // this is the main of the tests
	}
	code := m.Run()
	os.RemoveAll(programs)
	os.Exit(code) //nolint:forbidigo // this is the main of the tests
}

// built makes the program, once for all tests of the package.
var built = sync.OnceValue(func() error {
	cmd := exec.Command("go", "build", "-o", filepath.Join(programs, "redundctl"), "../cmd/redundctl")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
})

// build is the folder with the program.
func build(t *testing.T) string {
	t.Helper()
	if err := built(); err != nil {
		t.Fatal(err)
	}
	return programs
}

func environment(t *testing.T, bin string) []string {
	t.Helper()
	home := t.TempDir()
	return []string{
		"PATH=" + bin + string(os.PathListSeparator) + os.Getenv("PATH"), "HOME=" + home, "TMPDIR=" + t.TempDir(), "NO_COLOR=1",
		"GIT_CONFIG_GLOBAL=" + filepath.Join(home, "gitconfig"), "GIT_CONFIG_NOSYSTEM=1",
	}
}

var path = regexp.MustCompile(`^# ((?:[a-z0-9-]+/)*[a-z0-9.-]+\.ya?ml)\n`)

// TestPages walks each page from top to bottom in a project of its own: a
// YAML block that begins with a comment that is a path becomes that file, any
// other is validated alone, and the commands of console blocks are run.
func TestPages(t *testing.T) {
	bin := build(t)
	for _, page := range pages(t) {
		t.Run(filepath.Base(page), func(t *testing.T) {
			project := t.TempDir()
			env := environment(t, bin)
			for _, b := range blocks(t, page) {
				switch word, _, _ := strings.Cut(b.info, " "); word {
				case "yaml":
					if m := path.FindStringSubmatch(b.text); m != nil {
						write(t, filepath.Join(project, m[1]), b.text)
						validate(t, b, project, env)
					} else {
						alone := t.TempDir()
						write(t, filepath.Join(alone, "pipelines/page/page.yaml"), whole(b.text))
						write(t, filepath.Join(alone, "redund.yaml"), "version: 1\nsystems: {page: {}}\n")
						validate(t, b, alone, env)
					}
				case "console":
					console(t, b, project, env)
				}
			}
		})
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// whole completes a fragment: a list is the steps of a pipeline, and keys of
// a pipeline without steps get one.
func whole(text string) string {
	if strings.HasPrefix(text, "- ") {
		return "version: 1\nname: page\nsteps:\n" + text
	}
	for _, k := range []struct{ key, line string }{{"version", "version: 1\n"}, {"name", "name: page\n"}} {
		if !regexp.MustCompile(`(?m)^` + k.key + `:`).MatchString(text) {
			text = k.line + text
		}
	}
	if !regexp.MustCompile(`(?m)^(steps|service):`).MatchString(text) {
		text += "steps:\n  - run: echo\n"
	}
	return text
}

func validate(t *testing.T, b block, dir string, env []string) {
	t.Helper()
	cmd := exec.Command("redundctl", "-C", dir, "validate")
	cmd.Path, cmd.Err = filepath.Join(filepath.SplitList(env[0][len("PATH="):])[0], "redundctl"), nil
	cmd.Env = env
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", b, err, out)
	}
}

// console runs each `$ command` of a block in a shell. The lines that follow
// it are what it prints, where … stands for any text and a line of it alone
// for any lines; a command without such lines may print what it likes. It must
// succeed unless the page says "# exit N" at its end.
func console(t *testing.T, b block, dir string, env []string) {
	t.Helper()
	for _, part := range strings.Split("\n"+b.text, "\n$ ")[1:] {
		line, want, _ := strings.Cut(part, "\n")
		line, code, _ := strings.Cut(line, "# exit ")
		cmd := exec.Command("sh", "-c", line)
		cmd.Dir, cmd.Env = dir, env
		out, err := cmd.CombinedOutput()
		exit := 0
		if err != nil {
			exit = cmd.ProcessState.ExitCode()
		}
		if fmt.Sprint(exit) != strings.TrimSpace(code) && (code != "" || exit != 0) {
			t.Errorf("%s: %s: exit code %d\n%s", b, line, exit, out)
		}
		if want = strings.TrimSpace(want); want != "" && !matches(want, string(out)) {
			t.Errorf("%s: %s printed\n%s\nand the page says\n%s", b, line, out, want)
		}
	}
}

func matches(want, got string) bool {
	var re strings.Builder
	re.WriteString(`(?s)^\s*`)
	for i, line := range strings.Split(want, "\n") {
		if strings.TrimSpace(line) == "…" {
			if i > 0 {
				re.WriteString(`(\s*\n.*?)?`) // or no line at all
			} else {
				re.WriteString(`.*?`)
			}
			continue
		}
		if i > 0 {
			re.WriteString(`\s*\n\s*`)
		}
		words := strings.Fields(line)
		for j, w := range words {
			if j > 0 {
				re.WriteString(`[ \t]+`)
			}
			re.WriteString(strings.ReplaceAll(regexp.QuoteMeta(w), "…", `[^\n]*?`))
		}
	}
	re.WriteString(`\s*$`)
	return regexp.MustCompile(re.String()).MatchString(got)
}

var link = regexp.MustCompile(`\]\(([^)#]+)(#[^)]*)?\)`)

// TestLinks holds that a link to another page leads to a file.
func TestLinks(t *testing.T) {
	for _, page := range append(pages(t), "problems.md", "../SECURITY.md", "../CHANGELOG.md", "../examples/plugin/README.md") {
		src, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(src), -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), m[1])); err != nil {
				t.Errorf("%s links to %s, which is not there", page, m[1])
			}
		}
	}
}

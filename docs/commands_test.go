package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var flag = regexp.MustCompile("--[a-z][a-z-]*")

// completed is what the program offers where the last of args is being typed.
func completed(t *testing.T, bin string, args ...string) []string {
	t.Helper()
	cmd := exec.Command(filepath.Join(bin, "redundctl"), append([]string{"__complete"}, args...)...)
	cmd.Dir, cmd.Env = t.TempDir(), environment(t, bin)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v", cmd, err)
	}
	var words []string
	for line := range strings.Lines(string(out)) {
		if word, _, _ := strings.Cut(strings.TrimSpace(line), "\t"); word != "" && word[0] != ':' {
			words = append(words, word)
		}
	}
	return words
}

// TestCommands holds that commands.md has each command and each of its flags,
// and no other.
func TestCommands(t *testing.T) {
	src, err := os.ReadFile("commands.md")
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(string(src), "\n## ")
	shared := flag.FindAllString(parts[0], -1)
	sections := map[string]string{}
	for _, p := range parts[1:] {
		name, text, _ := strings.Cut(p, "\n")
		sections[name] = text
	}
	bin := build(t)
	commands := completed(t, bin, "")
	if len(commands) < 10 {
		t.Fatalf("the program offers only the commands %q", commands)
	}
	for _, c := range commands {
		text, ok := sections[c]
		delete(sections, c)
		if !ok {
			t.Errorf("commands.md has no section %q", c)
			continue
		}
		here := slices.Concat(shared, flag.FindAllString(text, -1))
		there := completed(t, bin, c, "--")
		for _, f := range there {
			if f = strings.TrimSuffix(f, "="); strings.HasPrefix(f, "--") && !slices.Contains(here, f) {
				t.Errorf("commands.md: %s has a flag %s that is not named", c, f)
			}
		}
		for _, f := range flag.FindAllString(text, -1) {
			if !slices.Contains(shared, f) && !slices.Contains(there, f) {
				t.Errorf("commands.md: %s has no flag %s", c, f)
			}
		}
	}
	for name := range sections {
		t.Errorf("commands.md has a section %q, which is no command", name)
	}
}

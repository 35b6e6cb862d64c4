package editor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestWords(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"vi":                          {"vi"},
		"code  --wait":                {"code", "--wait"},
		`"/opt/My Editor/ed" -f`:      {"/opt/My Editor/ed", "-f"},
		`sed -i 's/a b/c "d"/'`:       {"sed", "-i", `s/a b/c "d"/`},
		`a\ b "c\"d" 'e\f' ""`:        {"a b", `c"d`, `e\f`, ""},
		"ed $(touch owned) ; `touch`": {"ed", "$(touch", "owned)", ";", "`touch`"},
	} {
		if got, err := words(text); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: got %q, %v, want %q", text, got, err, want)
		}
	}
	for _, text := range []string{`a "b`, `a 'b`, `a\`} {
		if got, err := words(text); err == nil {
			t.Errorf("%s: got %q", text, got)
		}
	}
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	env := func(pairs ...string) func(string) string {
		return func(name string) string {
			for _, p := range pairs {
				if v, ok := strings.CutPrefix(p, name+"="); ok {
					return v
				}
			}
			return ""
		}
	}
	program := func(name string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Find(env()); err == nil || !strings.Contains(err.Error(), "neither vi nor nano") {
		t.Errorf("no editor at all: %v", err)
	}
	program("nano")
	program("code")
	program("my ed")
	for _, c := range []struct{ visual, editor, want, err string }{
		{"", "", "[nano] ", ""},
		{"", " ", "[nano] ", ""},
		{"code --wait", "nano", "[code --wait] VISUAL", ""},
		{"", "code -r -w", "[code -r -w] EDITOR", ""},
		{"", "code", "", "set EDITOR='code --wait'"},
		{"", "nowhere -x", "", "nowhere, which is not on this machine"},
		{"", `"nano`, "", "names no program"},
		{"", `""`, "", "names no program"},
		{"", filepath.Join(dir, "my ed"), "[" + filepath.Join(dir, "my ed") + "] EDITOR", ""},
	} {
		e, err := Find(env("VISUAL="+c.visual, "EDITOR="+c.editor))
		if got := fmt.Sprintf("%v %s", e.Argv, e.Chosen); c.err == "" && (err != nil || got != c.want) {
			t.Errorf("%q, %q: got %s, %v", c.visual, c.editor, got, err)
		}
		if c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%q, %q: got error %v, want %q", c.visual, c.editor, err, c.err)
		}
	}
	program("vi")
	if e, err := Find(env()); err != nil || e.Argv[0] != "vi" {
		t.Errorf("vi comes first: %v, %v", e, err)
	}
}

// TestHead holds that the lines on top are taken away exactly, whatever an
// editor or a person does to them, and that they count lines as they are seen.
func TestHead(t *testing.T) {
	t.Parallel()
	h := heading([]Note{{Line: 2, Column: 5, Text: "no key \"x\"\n\x1b[31m"}, {Text: "elsewhere"}})
	for _, text := range []string{"", "a: 1", "a: 1\nb: 2\n", "a: 1\r\nb: 2\r\n", "\uFEFFa: 1\n", "\n\n", "# redundctl: mine\na: 1\n", "\x00\xff\n"} {
		over := h.over([]byte(text))
		if got := string(h.without(over)); got != text {
			t.Errorf("%q came back as %q", text, got)
		}
		if got := string(h.without([]byte(strings.ReplaceAll(string(over), "\r\n", "\n")))); got != strings.ReplaceAll(text, "\r\n", "\n") {
			t.Errorf("%q with other endings came back as %q", text, got)
		}
		if strings.HasPrefix(text, "\uFEFF") != strings.HasPrefix(string(over), "\uFEFF") {
			t.Errorf("%q: the mark of its encoding has moved: %q", text, over)
		}
	}
	over := string(h.over([]byte("a: 1\nb: 2\n")))
	lines := strings.Split(over, "\n")
	if want := `# redundctl: line 6, column 5: no key "x"  [31m`; lines[1] != want {
		t.Errorf("got %q, want %q", lines[1], want)
	}
	if lines[6-1] != "b: 2" {
		t.Errorf("line 6 is %q in\n%s", lines[5], over)
	}
	mixed := "# mine\n" + strings.Replace(over, lines[1]+"\n", "", 1)
	if got := string(h.without([]byte(mixed))); got != "# mine\na: 1\nb: 2\n" {
		t.Errorf("with a line above them: %q", got)
	}
	many := heading(make([]Note, 25))
	if len(many) != 1+most+2 || many[most+1] != mark+"and 15 more" {
		t.Errorf("many: %q", many)
	}
	if got := heading(nil).over([]byte("a")); string(got) != "a" {
		t.Errorf("nothing on top: %q", got)
	}
}

func TestEnded(t *testing.T) {
	t.Parallel()
	for _, c := range [][3]string{ // before, what came, what is kept
		{"a\nb\n", "a\nc\n", "a\nc\n"},
		{"a\r\nb\r\n", "a\r\nc\nd\n", "a\r\nc\r\nd\r\n"},
		{"a\r\nb\r\n", "a\nb\n", "a\r\nb\r\n"},
		{"a\nb\n", "a\r\nb\r\n", "a\nb\n"},
		{"a\r\nb\n", "a\r\nc\n", "a\r\nc\n"},
		{"a", "a\r\nb\n", "a\r\nb\n"},
	} {
		if got := string(ended([]byte(c[1]), []byte(c[0]))); got != c[2] {
			t.Errorf("%q after %q: got %q, want %q", c[1], c[0], got, c[2])
		}
	}
}

// TestPrivate holds that the copy is nobody else's, is called like the file, and
// goes when it is of no use.
func TestPrivate(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	say := filepath.Join(t.TempDir(), "say.sh")
	if err := os.WriteFile(say, []byte("#!/bin/sh\nstat -c '%a %n' \"$1\" \"$(dirname \"$1\")\" > \""+say+".out\"\n[ -z \"$ADD\" ] || echo \"$ADD\" >> \"$1\"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	session := func(add string, check func(context.Context, []byte) []Note) (*Session, []byte, Outcome) {
		t.Setenv("ADD", add)
		s := &Session{Editor: Editor{Argv: []string{say}}, Check: check}
		text, how, err := s.Edit(t.Context(), "pipelines/pm2/a b.yaml", []byte("a: 1\n"))
		if err != nil {
			t.Fatal(err)
		}
		return s, text, how
	}
	fine := func(context.Context, []byte) []Note { return nil }
	if s, _, how := session("", fine); how != Unchanged || s.Kept() != "" {
		t.Errorf("unchanged: %d, kept %q", how, s.Kept())
	}
	out, err := os.ReadFile(say + ".out")
	if want := "600 " + tmp; err != nil || !strings.HasPrefix(string(out), want) || !strings.Contains(string(out), "/a b.yaml\n700 ") {
		t.Errorf("the copy: %s, %v", out, err)
	}
	s, text, how := session("b: 2", fine)
	if got, err := os.ReadFile(s.Kept()); how != Changed || string(text) != "a: 1\nb: 2\n" || err != nil || string(got) != string(text) {
		t.Errorf("changed: %d, %q, %q, %v", how, text, got, err)
	}
	if err := s.Forget(); err != nil || s.Kept() != "" {
		t.Errorf("forgotten: %v, kept %q", err, s.Kept())
	}
	if left, _ := os.ReadDir(tmp); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

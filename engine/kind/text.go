package kind

import (
	"bytes"
	"strings"
	"unicode"

	"github.com/redundctl/redundctl/engine/proc"
)

// LongestName is how many letters the name of a pipeline may have.
const LongestName = 63

// Name makes the name of a pipeline of any text: its small letters and digits,
// and a dash for whatever stands between them. otherwise is the name where nothing
// is left.
func Name(text, otherwise string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(text) {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			b.WriteRune(r)
		} else if b.Len() > 0 && !strings.HasSuffix(b.String(), "-") {
			b.WriteByte('-')
		}
	}
	name := b.String()
	if name = strings.TrimRight(name[:min(len(name), LongestName)], "-"); name == "" {
		return otherwise
	}
	return name
}

// Words puts a dash between the words of a text that capitals tell apart, as in
// nightlyBuild, for Name.
func Words(text string) string {
	var b strings.Builder
	before := rune(0)
	for _, r := range text {
		if unicode.IsUpper(r) && (unicode.IsLower(before) || unicode.IsDigit(before)) {
			b.WriteByte('-')
		}
		b.WriteRune(r)
		before = r
	}
	return b.String()
}

// Conflict is the line, from 1, of the first mark that git leaves at the beginning
// of a line where a merge was not finished; 0: there is none.
func Conflict(text []byte) int {
	if !bytes.Contains(text, []byte("<<<<<<< ")) && !bytes.Contains(text, []byte(">>>>>>> ")) {
		return 0
	}
	n := 0
	for line := range bytes.Lines(text) {
		n++
		if bytes.HasPrefix(line, []byte("<<<<<<< ")) || bytes.HasPrefix(line, []byte(">>>>>>> ")) {
			return n
		}
	}
	return 0
}

// VariableName reports whether our files take a text for the name of a variable.
func VariableName(s string) bool {
	for i, r := range s {
		if r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != ""
}

// Variable is the value of a variable in an environment, KEY=VALUE; "": there is
// none.
func Variable(env []string, name string) string {
	v, _ := proc.Variable(env, name)
	return v
}

// Line is a text of somebody else as one line of so many letters at most.
func Line(s string, most int) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return s
}

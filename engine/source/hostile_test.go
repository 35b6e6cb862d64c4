package source

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestHostile gives texts that were made to cost time or memory: each ends
// quickly, with one clear problem (or fifty, where there are many mistakes).
func TestHostile(t *testing.T) {
	times := func(n int, line string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, strings.ReplaceAll(line, "%d", "%[1]d"), i)
		}
		return b.String()
	}
	bomb := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c < 'k'; c++ {
		bomb += fmt.Sprintf("%c: &%c [%s]\n", c, c, strings.Repeat(fmt.Sprintf("*%c,", c-1), 9))
	}
	const mega = 1 << 18
	for _, tt := range []struct {
		name, text, rule string
		problems         int
	}{
		{"alias bomb", bomb, "too-many-aliases", 1},
		{"many aliases", "a: &a 1\nb: [" + strings.Repeat("*a,", 101) + "]\n", "too-many-aliases", 1},
		{"aliases that nest", "a: &a " + strings.Repeat("[", 40) + strings.Repeat("]", 40) + "\nb: " + strings.Repeat("[", 20) + "*a" + strings.Repeat("]", 20) + "\n", "too-deep", 1},
		{"4,000 equal keys", strings.Repeat("key: 1\n", 4000), "duplicate-key", 1},
		{"4,000 keys twice", times(4000, "k%d: 1\n") + times(4000, "k%d: 1\n"), "duplicate-key", 50},
		{"51 levels", "a: " + strings.Repeat("[", 50) + strings.Repeat("]", 50) + "\n", "too-deep", 1},
		{"20,000 levels", strings.Repeat("[", 20000), "too-deep", 1},
		{"20,000 levels of blocks", strings.Repeat("- ", 20000) + "a", "too-deep", 1},
		{"many brackets", strings.Repeat("[", mega), "too-deep", 1},
		{"unclosed brackets", "a: [" + strings.Repeat("b, ", mega/4), "yaml-syntax", 1},
		{"a mistake at the end", strings.Repeat("- b\n", mega/5) + " c: d\n", "yaml-syntax", 1},
		{"a mistake at the beginning", "a: \"x\" y\n" + strings.Repeat("b: 1\n", mega/6), "yaml-syntax", 1},
		{"an open quote", "a: '" + strings.Repeat("b\n", mega/3), "yaml-syntax", 1},
		{"many items", strings.Repeat("- x\n", 110_000), "too-large", 1},
		{"100 MB", strings.Repeat("a: b\n", 20<<20), "too-large", 1},
		{"100 MB of zeroes", strings.Repeat("\x00", 100<<20), "too-large", 1},
		{"zeroes", strings.Repeat("\x00", 1000), "not-utf8", 1},
		{"binary", "\x7fELF\x02\x01\x01\x00\x00", "control-character", 1},
		{"colons", strings.Repeat("a: ", mega/4), "yaml-syntax", 1},
		{"documents", strings.Repeat("--- a\n", mega/8), "several-documents", 1},
		{"comments", strings.Repeat("# c\n", mega/4), "empty-document", 1},
	} {
		start := time.Now()
		_, problems := Parse("f.yaml", []byte(tt.text), Limits{})
		took := time.Since(start)
		if len(problems) != tt.problems || problems[0].Rule != tt.rule {
			t.Errorf("%s: %d problems, %.300v", tt.name, len(problems), problems)
			continue
		}
		if len(problems[0].Message)+len(problems[0].Hint) > 300 {
			t.Errorf("%s: a message of %d bytes", tt.name, len(problems[0].Message))
		}
		if took > 5*time.Second {
			t.Errorf("%s: took %v", tt.name, took)
		}
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text string
		lim  Limits
		rule string
	}{
		{"a: 1\n", Limits{FileSize: 4}, "too-large"},
		{"a: [1, 2, 3]\n", Limits{Nodes: 4}, "too-large"},
		{"a: &a 1\nb: *a\nc: *a\n", Limits{Aliases: 1}, "too-many-aliases"},
		{"a: [[1]]\n", Limits{Depth: 2}, "too-deep"},
		{"a: [[1]]\n", Limits{Depth: 3, Nodes: 4, FileSize: 9}, ""},
	} {
		_, problems := Parse("f.yaml", []byte(tt.text), tt.lim)
		if tt.rule == "" && len(problems) > 0 || tt.rule != "" && (len(problems) != 1 || problems[0].Rule != tt.rule) {
			t.Errorf("%q with %+v: %v", tt.text, tt.lim, problems)
		}
	}
	if p, bad := TooLarge("f.yaml", 2<<20, Limits{}); !bad || p.Rule != "too-large" || p.File != "f.yaml" {
		t.Errorf("%v %v", p, bad)
	}
}

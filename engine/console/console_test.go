package console

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestClean(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                     "",
		"plain é 日本 🙂":         "plain é 日本 🙂",
		"a\nb\r\tc":            `a\nb\r\tc`,
		"\x1b[2J\x07\x00":      `\x1b[2J\x07\x00`,
		"\u009b31m\u202eevil":  `\x9b31m\u202eevil`,
		"bad \xff bytes \xe9!": `bad \xff bytes \xe9!`,
		"\ufffd is a rune":     "\ufffd is a rune",
		"\u2028\ufeff":         `\u2028\ufeff`,
	} {
		if got := Clean(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{
		"\x1b[1;31mred\x1b[0m\tx":             "red\tx",
		"\x1b]0;title\x07text\x1b[2K\x1b[1A!": "text!",
		"\x07bell":                            `\x07bell`,
	} {
		if got := line(in); got != want {
			t.Errorf("line %q: %q, want %q", in, got, want)
		}
	}
}

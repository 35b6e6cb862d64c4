package text_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redundctl/redundctl/cmd/redundctl/monitor/text"
)

func TestClean(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"a\x1b[2J\n\x00":          `a\x1b[2J\n\x00`,
		"\u009b\u202e\u2028\xff":  `\x9b\u202e\u2028\xff`,
		"e\u0301 日本 👨‍👩":          "é 日本 👨👩",
		"❤\ufe0f":                 "❤",
		strings.Repeat("é", 5000): strings.Repeat("é", 2048),
	} {
		if got := text.Clean(in); got != want {
			t.Errorf("%.40q gives %.60q", in, got)
		}
	}
	if got := text.Printed("\x1b[31mred\x1b[0m\tx\u009b1m\r"); got != `red    x\x9b1m` && got != "red    x" {
		t.Errorf("%q", got)
	}
}

func TestCut(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in   string
		room int
		want string
	}{
		{"abc", 3, "abc"}, {"abcd", 3, "ab…"}, {"日本語", 5, "日本…"}, {"日本語", 4, "日…"}, {"日", 1, "…"}, {"abc", 0, ""}, {"", 0, ""}, {"abc", -1, ""}, {"éa", 1, "…"},
	} {
		if got := text.Cut(tt.in, tt.room); got != tt.want {
			t.Errorf("%q in %d gives %q", tt.in, tt.room, got)
		}
	}
	if got := text.Pad("日", 4); got != "日  " {
		t.Errorf("%q", got)
	}
}

func TestWrap(t *testing.T) {
	t.Parallel()
	if got := text.Wrap("one two  three\n\nabcdefghij 日本語日本語 \x1b", 7); !slices.Equal(got, []string{"one two", "three", "", "abcdefg", "hij", "日本語", "日本語", `\x1b`}) {
		t.Errorf("%q", got)
	}
	if got := text.Wrap("日本", 0); !slices.Equal(got, []string{"日", "本"}) {
		t.Errorf("%q", got)
	}
}

func TestTimes(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		-time.Hour: "0s", 59 * time.Second: "59s", 192 * time.Second: "3m12s", 25 * time.Minute: "25m", 125 * time.Minute: "2h05m", 76 * time.Hour: "3d04h",
	} {
		if got := text.Age(d); got != want {
			t.Errorf("%v is %s", d, got)
		}
	}
	now := time.Date(2027, 3, 14, 3, 2, 10, 0, time.Local)
	for d, want := range map[time.Duration]string{time.Hour: "02:02:10", 4 * time.Hour: "03-13 23:02"} {
		if got := text.Clock(now.Add(-d), now); got != want {
			t.Errorf("%v ago is %s", d, got)
		}
	}
	bad := "yesterday"
	if !text.At(nil).IsZero() || !text.At(&bad).IsZero() || text.Clock(time.Time{}, now) != "-" {
		t.Error("no time is a time")
	}
	if got := text.Took(1234 * time.Millisecond); got != "1.23s" {
		t.Errorf("%s", got)
	}
}

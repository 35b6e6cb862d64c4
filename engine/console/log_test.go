package console

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"
)

type secret string

func (secret) LogValue() slog.Value { return slog.StringValue("***") }

type holder struct {
	Name string
	Key  secret
	in   secret
}

// TestGuard gives each format a record that would forge lines, move the cursor
// and tell secrets.
func TestGuard(t *testing.T) {
	t.Parallel()
	for _, o := range []LogOptions{{}, {Color: true}, {JSON: true}} {
		var b bytes.Buffer
		l := NewLogger(&b, o)
		l.With("with", secret("hunter2")).WithGroup("g\n").With("a", 1).Info("m\nFORGED \x1b[2J\u202e",
			"s", secret("hunter2"), "k\nk", "v\nv\u009b", "e", errors.New("bad\x1b[1m"),
			slog.Group("in", "x", secret("hunter2"), slog.Group("deep", "y", secret("hunter2"))), "list", []secret{"hunter2"}, "any", []any{secret("hunter2"), map[string]secret{"k": "hunter2"}},
			"struct", holder{"n", "hunter2", "hunter2"}, "ptr", &holder{"n", "hunter2", "hunter2"}, "nan", math.NaN(), "chan", make(chan int), "attrs", []slog.Attr{slog.Any("z", secret("hunter2"))}, "nil", nil,
			"d", time.Second, slog.Attr{}, "lines", "one\ntwo")
		got := b.String()
		if strings.Contains(got, "hunter2") {
			t.Errorf("%+v: a secret is told: %s", o, got)
		}
		if strings.Count(got, "\n") != 1 {
			t.Errorf("%+v: more than one line: %q", o, got)
		}
		plain := got
		if o.Color {
			plain = line(strings.TrimSuffix(got, "\n"))
		}
		for _, r := range strings.TrimSuffix(plain, "\n") {
			if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
				t.Errorf("%+v: %U gets through: %q", o, r, got)
				break
			}
		}
		for _, want := range []string{`g\n.in.deep.y`, "***", `FORGED \x1b[2J\u202e`, `{Name:n Key:***}`} {
			if o.JSON {
				want = strings.ReplaceAll(want, `\`, `\\`)
			}
			if !strings.Contains(strings.ReplaceAll(plain, `\\x`, `\x`), want) && !strings.Contains(plain, strings.ReplaceAll(want, `\`, `\\`)) && !strings.Contains(plain, want) {
				t.Errorf("%+v: %s is missing: %s", o, want, plain)
			}
		}
	}
}

func TestGuardKeepsReservedKeys(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	l := NewLogger(&b, LogOptions{JSON: true})
	l.Info("real", "msg", "spoof", "level", "spoof", "time", "spoof", slog.Group("g", "msg", "fine"))
	var m map[string]any
	if err := json.Unmarshal(b.Bytes(), &m); err != nil {
		t.Fatal(err)
	}
	if m["msg"] != "real" || m["level"] != "info" || m["_msg"] != "spoof" || m["_level"] != "spoof" || m["_time"] != "spoof" || m["g.msg"] != "fine" {
		t.Errorf("%s", b.String())
	}
	if at, err := time.Parse(time.RFC3339Nano, fmt.Sprint(m["time"])); err != nil || at.Location() != time.UTC {
		t.Errorf("time %v: %v", m["time"], err)
	}
}

func TestLogLevels(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	l := NewLogger(&b, LogOptions{Level: slog.LevelWarn})
	l.Info("no")
	l.Debug("no")
	l.WithGroup("").With("a", 1).Warn("yes")
	l.Log(context.Background(), slog.LevelWarn+2, "between")
	if got := b.String(); strings.Contains(got, "no") || strings.Count(got, "WARN") != 2 {
		t.Errorf("%s", got)
	}
}

// TestLogIsOneLock writes from many children at once to a writer that has no
// lock of its own; the race detector watches.
func TestLogIsOneLock(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	l := NewLogger(&b, LogOptions{JSON: true})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			child := l.With("n", i)
			for range 200 {
				child.Info("x", "y", secret("s"))
			}
		})
	}
	wg.Wait()
	n := 0
	for l := range strings.Lines(b.String()) {
		n++
		if !json.Valid([]byte(l)) {
			t.Fatalf("torn: %q", l)
		}
	}
	if n != 1600 {
		t.Errorf("%d lines of 1600", n)
	}
}

func BenchmarkLogger(b *testing.B) {
	l := NewLogger(&bytes.Buffer{}, LogOptions{JSON: true})
	b.ReportAllocs()
	for b.Loop() {
		l.Info("step finished", "pipeline", "build", "step", 3)
	}
}

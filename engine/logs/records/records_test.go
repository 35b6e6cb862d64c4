package records

import (
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/redundctl/redundctl/engine/logs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestLevelsPerFile changes the levels while records are written, and looks
// what came into which file.
func TestLevelsPerFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d, err := logs.Open(dir, logs.Options{})
	if err != nil {
		t.Fatal(err)
	}
	h := New(d)
	l := slog.New(h)
	say := func(n string) {
		l.Debug("d"+n, "pipeline", "pm2/a")
		l.Info("i" + n)
		l.With("system", "web").Info("w" + n)
		l.WithGroup("g").Warn("g"+n, "pipeline", "pm2/b")
		l.Error("e"+n, "pipeline", "nowhere/x")
	}
	say("1")
	h.Set(Levels{Engine: slog.LevelError, Systems: map[string]slog.Level{"pm2": slog.LevelDebug, "web": slog.LevelWarn}})
	say("2")
	h.Set(Levels{Engine: slog.LevelDebug, Systems: map[string]slog.Level{"pm2": slog.LevelError, "web": slog.LevelInfo}})
	say("3")
	h.Set(Levels{Engine: slog.LevelError + 1})
	say("4")
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]string{
		"engine": {"i1", "w1", "g1", "e1", "e2", "d3", "i3", "w3", "g3", "e3"}, "pm2": {"d2", "g2"}, "web": {"w3"}, "nowhere": nil,
	} {
		raw, err := os.ReadFile(filepath.Join(dir, name+".log"))
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		var got []string
		for line := range strings.Lines(string(raw)) {
			_, rest, _ := strings.Cut(line, "msg=")
			got = append(got, strings.Fields(rest)[0])
			if strings.Contains(line, "time=") {
				t.Errorf("stamped twice: %s", line)
			}
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s.log holds %q, want %q", name, got, want)
		}
	}
}

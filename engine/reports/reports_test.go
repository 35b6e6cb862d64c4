package reports

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine/api"
)

func TestWrite(t *testing.T) {
	t.Parallel()
	state := t.TempDir()
	d, now := In(state), time.Date(2027, 1, 2, 3, 4, 5, 6e6, time.UTC)
	s := &api.Status{
		Systems: []api.SystemStatus{{Name: "pm2"}, {Name: "status"}, {Name: "health-20270102T030405.006Z"}},
		Parts:   []api.Part{{Name: "a", System: "pm2"}, {Name: "b", System: "status"}},
	}
	h := &api.Health{Status: "degraded", Systems: []api.SystemHealth{{Name: "pm2", Status: "degraded", Checks: []api.Check{{Name: "disk"}}}}}
	for range 2 {
		if err := d.Write(now, s, h); err != nil {
			t.Fatal(err)
		}
	}
	for _, at := range []time.Time{now, now.Add(-time.Hour), now.Add(-time.Hour - time.Millisecond)} {
		if err := d.WriteHealth(at, h); err != nil {
			t.Fatal(err)
		}
	}
	names := func() (out []string) {
		list, err := os.ReadDir(string(d))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			if info, err := e.Info(); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: %v, %v", e.Name(), info, err)
			}
			out = append(out, e.Name())
		}
		return out
	}
	want := []string{
		"health-20270102T020405.005Z.json", "health-20270102T020405.006Z.json", "health-20270102T030405.006Z.json", "pm2.json", "status.json",
		"system-health-20270102T030405.006Z.json", "system-status.json",
	}
	if got := names(); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	var one System
	text, err := os.ReadFile(filepath.Join(string(d), "pm2.json"))
	if err != nil || json.Unmarshal(text, &one) != nil || one.Name != "pm2" || len(one.Parts) != 1 || len(one.Checks) != 1 || one.At != "2027-01-02T03:04:05.006Z" {
		t.Errorf("%s, %v", text, err)
	}
}

package cleanup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redundctl/redundctl/engine/config/settings"
	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/logs"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/store"
)

// place is a state directory with a history.
func place(t *testing.T, dir string) Place {
	t.Helper()
	db, err := store.Open(t.Context(), store.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	h := history.New(db)
	d, err := logs.Open(filepath.Join(dir, "logs"), logs.Options{MaxAge: 30 * day})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(d.Close(), h.Close(), db.Close()); err != nil {
			t.Error(err)
		}
	})
	return Place{State: dir, History: h, Logs: d, Keep: settings.Retention{
		Runs: pipeline.Duration(90 * day), Logs: pipeline.Duration(30 * day), Reports: pipeline.Duration(60 * day),
	}}
}

// record writes a run that ended so long ago.
func record(t *testing.T, h *history.History, name string, ago time.Duration) pipeline.Run {
	t.Helper()
	at := time.Now().Add(-ago)
	r := pipeline.Run{System: "pm2", Pipeline: name, Queued: at, Started: at}
	if err := h.Begin(t.Context(), &r, history.Definition{}); err != nil {
		t.Fatal(err)
	}
	r.State, r.Finished = pipeline.Succeeded, at
	if err := h.Finish(t.Context(), &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// TestWhatGoes puts old things beside young ones and things of others.
func TestWhatGoes(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "state")
	p := place(t, dir)
	gone, last := record(t, p.History, "a", 100*day), record(t, p.History, "a", 95*day)
	record(t, p.History, "b", 95*day)
	record(t, p.History, "b", 80*day)
	for name, ago := range map[string]time.Duration{
		fmt.Sprintf("artifacts/%d/x", gone.ID): 95 * day, fmt.Sprintf("artifacts/%d/x", last.ID): 95 * day, "artifacts/999/x": 80 * day, "artifacts/mine/x": 95 * day,
		"reports/health-1.json": 61 * day, "reports/health-2.json": 59 * day, "reports/status.json": 99 * day, "reports/pm2.json": 99 * day,
		"logs/pm2.log": 99 * day, "logs/mine.txt": 99 * day,
	} {
		path := filepath.Join(dir, name)
		at := time.Now().Add(-ago)
		err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, nil, 0o600), os.Chtimes(path, at, at))
		if strings.HasPrefix(name, "artifacts") {
			err = errors.Join(err, os.Chtimes(filepath.Dir(path), at, at))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	stamp := func(ago time.Duration) string {
		return "pm2-" + time.Now().UTC().Add(-ago).Format("20060102T150405.000000Z") + ".log.gz"
	}
	young := "logs/" + stamp(29*day)
	for _, name := range []string{"logs/" + stamp(31*day), young} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p.Backups = func(_ context.Context, dry bool) ([]string, error) {
		return []string{fmt.Sprint("backup, dry ", dry)}, errors.New("git is ill")
	}
	for _, dry := range []bool{true, true, false, false} {
		out, err := p.Clean(t.Context(), dry)
		if err == nil || !strings.Contains(err.Error(), "cleaning up the backups: git is ill") || len(out.Backups) != 1 {
			t.Errorf("dry %v: %v, %v", dry, out.Backups, err)
		}
		got := fmt.Sprint(out.Runs.Runs, out.Artifacts, out.Reports, len(out.Logs))
		// What is wet the second time has nothing left; what is dry cannot know of the
		// artifacts of runs that it leaves.
		want := map[bool]string{true: "2 [] [health-1.json] 1", false: "2 [" + fmt.Sprint(gone.ID) + "] [health-1.json] 1"}[dry]
		if !dry && out.Runs.Runs == 0 {
			want = "0 [] [] 0"
		}
		if got != want {
			t.Errorf("dry %v: got %s, want %s", dry, got, want)
		}
	}
	for name, there := range map[string]bool{
		fmt.Sprintf("artifacts/%d", gone.ID): false, fmt.Sprintf("artifacts/%d/x", last.ID): true, "artifacts/999/x": true, "artifacts/mine/x": true,
		"reports/health-1.json": false, "reports/health-2.json": true, "reports/status.json": true, "reports/pm2.json": true,
		"logs/pm2.log": true, "logs/mine.txt": true, young: true,
	} {
		if _, err := os.Lstat(filepath.Join(dir, name)); (err == nil) != there {
			t.Errorf("%s: there is %v", name, err)
		}
	}
	if runs, err := p.History.Runs(t.Context(), history.Filter{}); err != nil || len(runs) != 2 || runs[1].ID != last.ID {
		t.Errorf("what stays: %+v, %v", runs, err)
	}
}

// TestItGoesOn holds that an engine cleans up soon and then every hour, and says
// so in its log and with one event each time that something went.
func TestItGoesOn(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "state")
	synctest.Test(t, func(t *testing.T) {
		p := place(t, dir)
		old := func() { record(t, p.History, "a", 95*day); record(t, p.History, "a", 94*day) }
		events := func() int {
			list, err := p.History.Events(t.Context(), history.EventFilter{What: "retention"})
			if err != nil {
				t.Fatal(err)
			}
			return len(list)
		}
		var said bytes.Buffer
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			Run(ctx, slog.New(slog.NewTextHandler(&said, nil)), func() Place { return p })
		}()
		old()
		for n, wait := range []time.Duration{soon - time.Second, 2 * time.Second, every, every, 0} {
			if n == 3 {
				old()
			}
			time.Sleep(wait) //nolint:forbidigo // of the bubble
			synctest.Wait()
			if got, want := events(), []int{0, 1, 1, 2, 2}[n]; got != want {
				t.Errorf("after %s: %d events, want %d", wait, got, want)
			}
		}
		cancel()
		<-done
		if n := strings.Count(said.String(), "retention removed what is no longer kept\" runs="); n != 2 {
			t.Errorf("%d lines: %s", n, said.String())
		}
	})
}

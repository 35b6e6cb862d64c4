package heartbeat

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/pipeline"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	slot   = time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)
	window = pipeline.Window{Slot: slot, Next: slot.Add(12 * time.Hour)}
)

func at(d time.Duration) time.Time { return slot.Add(d) }

func beat(d time.Duration, state, rid string) pipeline.Heartbeat {
	return pipeline.Heartbeat{At: at(d), State: state, Run: rid}
}

// kept gives heartbeats as an engine keeps them, and counts the questions.
type kept struct {
	list  []pipeline.Heartbeat
	asked int
	err   error
}

func (k *kept) since(_ context.Context, t time.Time) ([]pipeline.Heartbeat, error) {
	k.asked++
	var out []pipeline.Heartbeat
	for _, b := range k.list {
		if !b.At.Before(t) {
			out = append(out, b)
		}
	}
	return out, k.err
}

func pipe(p pipeline.Primary) *pipeline.Pipeline {
	return &pipeline.Pipeline{System: "cron", Name: "digest", Primary: &p}
}

func listen(t *testing.T, k *kept) pipeline.Probe {
	t.Helper()
	p, err := Primary().Build(map[string]any{}, kind.PrimaryDeps{
		Pipeline: pipe(pipeline.Primary{Every: pipeline.Duration(time.Minute), Failures: 2}), Heartbeats: k.since,
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestHeartbeats is the table of what calls mean for a slot at 03:00, the next
// one being at 15:00.
func TestHeartbeats(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		beats   []pipeline.Heartbeat
		verdict pipeline.Verdict
		run     string
		began   time.Duration // of the run; ignored where there is none
	}{
		"never": {nil, pipeline.Unknown, "", 0},
		"nothing for the slot": {
			[]pipeline.Heartbeat{beat(-12*time.Hour, started, "1"), beat(-11*time.Hour, succeeded, "1")}, pipeline.Nothing, "", 0,
		},
		"nothing for longer than we look back": {[]pipeline.Heartbeat{beat(-60*24*time.Hour, succeeded, "1")}, pipeline.Nothing, "", 0},
		"goes on":                              {[]pipeline.Heartbeat{beat(time.Minute, started, "2")}, pipeline.UnderWay, "2", time.Minute},
		"goes on, at the slot":                 {[]pipeline.Heartbeat{beat(0, started, "2")}, pipeline.UnderWay, "2", 0},
		"succeeded":                            {[]pipeline.Heartbeat{beat(1, started, "2"), beat(2, succeeded, "2")}, pipeline.Delivered, "2", 1},
		"failed":                               {[]pipeline.Heartbeat{beat(1, started, "2"), beat(2, failed, "2")}, pipeline.NotDelivered, "2", 1},
		"a success alone":                      {[]pipeline.Heartbeat{beat(2, succeeded, "2")}, pipeline.Delivered, "2", 2},
		"a failure alone":                      {[]pipeline.Heartbeat{beat(2, failed, "")}, pipeline.NotDelivered, "", 2},
		"failed, then mended":                  {[]pipeline.Heartbeat{beat(1, failed, "2"), beat(2, succeeded, "2")}, pipeline.Delivered, "2", 1},
		"succeeded, then failed":               {[]pipeline.Heartbeat{beat(1, succeeded, "2"), beat(2, failed, "2")}, pipeline.Delivered, "2", 1},
		"one failed, another goes on": {
			[]pipeline.Heartbeat{beat(1, started, "2"), beat(2, failed, "2"), beat(3, started, "3")}, pipeline.UnderWay, "3", 3,
		},
		"one goes on, a later one failed": {
			[]pipeline.Heartbeat{beat(1, started, "2"), beat(2, started, "3"), beat(3, failed, "3")}, pipeline.UnderWay, "2", 1,
		},
		"one succeeded, another goes on": {
			[]pipeline.Heartbeat{beat(1, started, "2"), beat(2, succeeded, "2"), beat(3, started, "3")}, pipeline.Delivered, "2", 1,
		},
		"both failed": {[]pipeline.Heartbeat{beat(1, failed, "2"), beat(2, failed, "3")}, pipeline.NotDelivered, "3", 2},
		"began for the slot before": {
			[]pipeline.Heartbeat{beat(-2*time.Hour, started, "1"), beat(time.Minute, succeeded, "1")}, pipeline.Nothing, "", 0,
		},
		"began for the slot before, without an id": {
			[]pipeline.Heartbeat{beat(-2*time.Hour, started, ""), beat(time.Minute, succeeded, "")}, pipeline.Nothing, "", 0,
		},
		"ours after one for the slot before": {
			[]pipeline.Heartbeat{beat(-2*time.Hour, started, "1"), beat(1, succeeded, "1"), beat(2, started, "2")}, pipeline.UnderWay, "2", 2,
		},
		"of the next slot": {[]pipeline.Heartbeat{beat(12*time.Hour, started, "3"), beat(13*time.Hour, succeeded, "3")}, pipeline.Nothing, "", 0},
		"late, but begun in time": {
			[]pipeline.Heartbeat{beat(11*time.Hour, started, "2"), beat(13*time.Hour, succeeded, "2")}, pipeline.Delivered, "2", 11 * time.Hour,
		},
		"late, and names the slot": {
			[]pipeline.Heartbeat{{At: at(13 * time.Hour), State: succeeded, Run: "2", Slot: slot}}, pipeline.Delivered, "2", 13 * time.Hour,
		},
		"in time, and names the next slot": {
			[]pipeline.Heartbeat{{At: at(time.Hour), State: succeeded, Run: "2", Slot: window.Next}}, pipeline.Nothing, "", 0,
		},
		"in time, and names the slot before": {
			[]pipeline.Heartbeat{{At: at(time.Hour), State: succeeded, Run: "2", Slot: slot.Add(-12 * time.Hour)}}, pipeline.Nothing, "", 0,
		},
		"names the slot by a clock that runs before ours": {
			[]pipeline.Heartbeat{{At: at(-5 * time.Second), State: started, Run: "2", Slot: slot}}, pipeline.UnderWay, "2", -5 * time.Second,
		},
		"two runs without ids": {
			[]pipeline.Heartbeat{beat(1, started, ""), beat(2, failed, ""), beat(3, started, ""), beat(4, succeeded, "")}, pipeline.Delivered, "", 3,
		},
		"began again without an end": {
			[]pipeline.Heartbeat{beat(1, started, ""), beat(2, started, ""), beat(3, failed, "")}, pipeline.NotDelivered, "", 2,
		},
		"began again, goes on": {[]pipeline.Heartbeat{beat(1, started, ""), beat(2, started, "")}, pipeline.UnderWay, "", 2},
		"an id does not end one without": {
			[]pipeline.Heartbeat{beat(1, started, ""), beat(2, failed, "9")}, pipeline.UnderWay, "", 1,
		},
		"came again": {
			[]pipeline.Heartbeat{beat(1, started, "2"), beat(2, failed, "2"), beat(3, failed, "2"), beat(4, started, "2")}, pipeline.NotDelivered, "2", 1,
		},
		"a word of tomorrow": {[]pipeline.Heartbeat{beat(1, "paused", "2")}, pipeline.Nothing, "", 0},
	} {
		r, err := listen(t, &kept{list: c.beats}).Probe(t.Context(), window)
		if err != nil || r.Verdict != c.verdict || r.Run != c.run || r.Reason == "" || len(r.Evidence) == 0 {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
		if there := !r.Began.IsZero(); there && !r.Began.Equal(at(c.began)) || r.Ended.IsZero() == (c.verdict == pipeline.Delivered || c.verdict == pipeline.NotDelivered) {
			t.Errorf("%s: from %s to %s", name, r.Began, r.Ended)
		}
		if r.Refused != (name == "never") {
			t.Errorf("%s: refused: %t", name, r.Refused)
		}
	}
}

// TestRunsServeOneSlot asks for two slots with the same heartbeats, whatever
// they are: no run serves both.
func TestRunsServeOneSlot(t *testing.T) {
	t.Parallel()
	next := pipeline.Window{Slot: window.Next, Next: window.Next.Add(12 * time.Hour)}
	for _, id := range []string{"", "7"} {
		for _, list := range [][]pipeline.Heartbeat{
			{beat(11*time.Hour, started, id), beat(12*time.Hour, succeeded, id)},
			{beat(11*time.Hour, started, id), beat(30*time.Hour, succeeded, id)},
			{{At: at(12 * time.Hour), State: succeeded, Run: id, Slot: slot}},
		} {
			served := 0
			for _, w := range []pipeline.Window{window, next, {Slot: next.Next, Next: next.Next.Add(time.Hour)}} {
				r, err := listen(t, &kept{list: list}).Probe(t.Context(), w)
				if err != nil {
					t.Fatal(err)
				}
				if r.Verdict == pipeline.Delivered {
					served++
				}
			}
			if served != 1 {
				t.Errorf("%v serves %d slots", list, served)
			}
		}
	}
}

func TestHeartbeatEvidence(t *testing.T) {
	t.Parallel()
	list := []pipeline.Heartbeat{
		{At: at(1), State: started, Run: "2", Body: "hello"}, {At: at(time.Second), State: failed, Run: "2", Body: "no room"},
		{At: at(time.Minute), State: failed, Run: "2", Body: "again"},
	}
	k := &kept{list: list}
	r, err := listen(t, k).Probe(t.Context(), window)
	if err != nil || r.Evidence["body"] != "no room" || r.Evidence["rid"] != "2" || r.Evidence["state"] != "failed" || r.Evidence["at"] != "2026-11-24T03:00:01Z" {
		t.Errorf("%+v, %v", r, err)
	}
	k.err = errors.New("disk I/O error")
	if r, err := listen(t, k).Probe(t.Context(), window); err == nil || r.Verdict != "" {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := Primary().Build(nil, kind.PrimaryDeps{Pipeline: pipe(pipeline.Primary{})}); err == nil {
		t.Error("a probe without heartbeats")
	}
}

// TestHeartbeatCost holds that looking is one read, and none once it succeeded.
func TestHeartbeatCost(t *testing.T) {
	t.Parallel()
	k := &kept{list: []pipeline.Heartbeat{beat(-time.Hour, succeeded, "1")}}
	p := listen(t, k)
	for range 10 {
		if r, err := p.Probe(t.Context(), window); err != nil || r.Verdict != pipeline.Nothing {
			t.Fatalf("%+v, %v", r, err)
		}
	}
	if k.asked > 11 {
		t.Errorf("%d reads for ten looks", k.asked)
	}
	k.list = append(k.list, beat(1, started, "2"), beat(2, succeeded, "2"))
	k.asked = 0
	for range 10 {
		if r, err := p.Probe(t.Context(), window); err != nil || r.Verdict != pipeline.Delivered {
			t.Fatalf("%+v, %v", r, err)
		}
	}
	if k.asked != 1 {
		t.Errorf("%d reads for a success", k.asked)
	}
	if r, err := p.Probe(t.Context(), pipeline.Window{Slot: window.Next, Next: window.Next.Add(time.Hour)}); err != nil || r.Verdict != pipeline.Nothing {
		t.Errorf("the next slot: %+v, %v", r, err)
	}
}

// TestHeartbeatsOfService asks a service whose calls may be two minutes old.
func TestHeartbeatsOfService(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		age     time.Duration // 0: no call
		state   string
		verdict pipeline.Verdict
	}{
		"never":           {0, "", pipeline.Unknown},
		"started":         {time.Minute, started, pipeline.Up},
		"at the limit":    {2 * time.Minute, succeeded, pipeline.Up},
		"silent":          {2*time.Minute + 1, succeeded, pipeline.Down},
		"silent for days": {3 * 24 * time.Hour, started, pipeline.Down},
		"for a month":     {30 * 24 * time.Hour, started, pipeline.Down},
		"failed":          {time.Second, failed, pipeline.Down},
	} {
		synctest.Test(t, func(t *testing.T) {
			k := &kept{}
			if c.age != 0 {
				k.list = []pipeline.Heartbeat{{At: time.Now().Add(-40 * 24 * time.Hour), State: started}, {At: time.Now().Add(-c.age), State: c.state, Body: "load 3"}}
			}
			r, err := listen(t, k).Probe(t.Context(), pipeline.Window{})
			if err != nil || r.Verdict != c.verdict || r.Refused != (c.age == 0) || r.Reason == "" || len(r.Evidence) == 0 {
				t.Errorf("%s: %+v, %v", name, r, err)
			}
		})
	}
}

func look(t *testing.T, root, path, raw string) pipeline.Probe {
	t.Helper()
	p := pipe(pipeline.Primary{With: map[string]any{"path": raw}, Every: pipeline.Duration(time.Minute), Failures: 2})
	x, err := Primaries()[1].Build(map[string]any{"path": path}, kind.PrimaryDeps{Pipeline: p, Root: root})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// TestFile is the table of what a file means for the slot of an hour ago, whose
// next one is in an hour.
func TestFile(t *testing.T) {
	t.Parallel()
	now := time.Now()
	w := pipeline.Window{Slot: now.Add(-time.Hour).Truncate(time.Second), Next: now.Add(time.Hour).Truncate(time.Second)}
	past := pipeline.Window{Slot: w.Slot.Add(-time.Hour), Next: w.Slot}
	for name, c := range map[string]struct {
		at            time.Time
		window        pipeline.Window
		verdict, live pipeline.Verdict // for the slot, and of a service
	}{
		"in time":             {now.Add(-time.Minute), w, pipeline.Delivered, pipeline.Up},
		"at the slot":         {w.Slot, w, pipeline.Delivered, pipeline.Down},
		"stamped a tick ago":  {w.Slot.Add(-4 * time.Millisecond), w, pipeline.Delivered, pipeline.Down},
		"before the slot":     {w.Slot.Add(-time.Second), w, pipeline.Nothing, pipeline.Down},
		"for a later slot":    {now.Add(-time.Minute), past, pipeline.Nothing, pipeline.Up},
		"at the next slot":    {w.Slot, past, pipeline.Nothing, pipeline.Down},
		"a little in future":  {now.Add(30 * time.Second), w, pipeline.Delivered, pipeline.Up},
		"an hour in future":   {now.Add(time.Hour), w, pipeline.Unknown, pipeline.Unknown},
		"without a next slot": {now.Add(-time.Minute), pipeline.Window{Slot: w.Slot}, pipeline.Delivered, pipeline.Up},
	} {
		root := t.TempDir()
		path := filepath.Join(root, "latest")
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, c.at, c.at); err != nil {
			t.Fatal(err)
		}
		for w, want := range map[pipeline.Window]pipeline.Verdict{c.window: c.verdict, {}: c.live} {
			r, err := look(t, root, "latest", "latest").Probe(t.Context(), w)
			if err != nil || r.Verdict != want || r.Refused || r.Reason == "" || r.Evidence["modified"] == nil {
				t.Errorf("%s, slot %s: %+v, %v", name, w.Slot, r, err)
			}
		}
	}
}

func TestFileThatIsNone(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	outside := filepath.Join(t.TempDir(), "latest")
	for _, p := range []string{filepath.Join(root, "plain"), outside} {
		if err := os.WriteFile(p, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, err := range []error{
		os.Mkdir(filepath.Join(root, "folder"), 0o700), os.Symlink("plain", filepath.Join(root, "link")), os.Symlink(outside, filepath.Join(root, "out")),
		os.Symlink("loop", filepath.Join(root, "loop")), os.Symlink("gone", filepath.Join(root, "dangling")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	w := pipeline.Window{Slot: time.Now().Add(-time.Hour)}
	for _, c := range []struct {
		path, raw string
		verdict   pipeline.Verdict
		refused   bool
	}{
		{"missing", "missing", pipeline.Nothing, false},
		{"no/such/folder", "no/such/folder", pipeline.Nothing, false},
		{"dangling", "dangling", pipeline.Nothing, false},
		{"folder", "folder", pipeline.Nothing, false},
		{"link", "link", pipeline.Delivered, false},
		{outside, outside, pipeline.Delivered, false},
		{"out", "out", pipeline.Delivered, false},
		{"loop", "loop", pipeline.Unknown, true},
		{"plain/latest", "plain/latest", pipeline.Unknown, true},
		{"link", "${{ vars.x }}", pipeline.Delivered, false},
		{"out", "${{ vars.x }}", pipeline.Unknown, false},
	} {
		r, err := look(t, root, c.path, c.raw).Probe(t.Context(), w)
		if err != nil || r.Verdict != c.verdict || r.Refused != c.refused || r.Reason == "" || strings.Contains(r.Reason, "\n") {
			t.Errorf("%s as %s: %+v, %v", c.path, c.raw, r, err)
		}
		if c.raw != c.path && strings.Contains(r.Reason, c.path) {
			t.Errorf("%s as %s: the reason shows what an expression built: %s", c.path, c.raw, r.Reason)
		}
	}
	for _, bad := range []string{"../latest", outside, ""} {
		d := kind.PrimaryDeps{Root: root, Pipeline: pipe(pipeline.Primary{With: map[string]any{"path": "${{ vars.x }}"}})}
		if _, err := Primaries()[1].Build(map[string]any{"path": bad}, d); err == nil {
			t.Errorf("%q was built by an expression", bad)
		}
	}
}

// TestFileThatCannotBeRead takes the rights of its folder away. As root nothing
// is taken away, so the error is given in its place.
func TestFileThatCannotBeRead(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "shut"), 0); err != nil {
		t.Fatal(err)
	}
	p := look(t, root, "shut/latest", "shut/latest").(*result)
	if os.Geteuid() == 0 {
		p.stat = func() (fs.FileInfo, error) { return nil, &fs.PathError{Op: "stat", Err: fs.ErrPermission} }
	}
	for _, w := range []pipeline.Window{{}, window} {
		if r, err := p.Probe(t.Context(), w); err != nil || r.Verdict != pipeline.Unknown || !r.Refused {
			t.Errorf("%+v, %v", r, err)
		}
	}
}

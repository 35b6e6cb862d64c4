package report_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/ledger"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/report"
	"github.com/redundctl/redundctl/engine/store"
)

func open(t *testing.T) (*ledger.Ledger, *history.History) {
	t.Helper()
	db, err := store.Open(context.Background(), store.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	h := history.New(db)
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return ledger.New(db), h
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func day(n int) time.Time { return time.Date(2026, 11, n, 3, 0, 0, 0, time.UTC) }

// seen records slots of pm2/sync whose primary began each one so much late.
func seen(t *testing.T, l *ledger.Ledger, n int, late time.Duration) {
	t.Helper()
	for i := 1; i <= n; i++ {
		s := ledger.Slot{System: "pm2", Name: "sync", At: day(i), Next: day(i + 1)}
		_, err := l.Open(t.Context(), []ledger.Slot{s})
		check(t, err)
		s.Reading = pipeline.Reading{Verdict: pipeline.Delivered, Began: s.At.Add(late), Ended: s.At.Add(late + time.Minute)}
		check(t, l.Read(t.Context(), s, ""))
	}
}

// TestNotes holds that a report tells of a grace that is shorter than the
// primary needs, as soon as enough of it is known, and of primaries of which
// nothing is known.
func TestNotes(t *testing.T) {
	t.Parallel()
	l, _ := open(t)
	sync := &pipeline.Pipeline{
		System: "pm2", Name: "sync", Enabled: true, Mode: pipeline.Standby, Grace: pipeline.Grace{For: pipeline.Duration(15 * time.Minute)},
		Primary: &pipeline.Primary{Kind: "pm2"},
	}
	notes := func(p *pipeline.Pipeline) string {
		t.Helper()
		list, err := report.Notes(t.Context(), l, []*pipeline.Pipeline{p})
		check(t, err)
		text := ""
		for _, n := range list {
			text += n.System + "/" + n.Pipeline + " " + n.Message + "\n"
		}
		return text
	}
	seen(t, l, 19, 40*time.Minute)
	if got := notes(sync); got != "" {
		t.Errorf("of too few runs: %s", got)
	}
	seen(t, l, 20, 40*time.Minute)
	if got := notes(sync); !strings.HasPrefix(got, "pm2/sync grace is 15m, but of the last 20 runs of its primary 1 in 100 was 40m late or more") {
		t.Errorf("%q", got)
	}
	long := *sync
	long.Grace.For = pipeline.Duration(40 * time.Minute)
	auto := *sync
	auto.Grace = pipeline.Grace{Auto: true}
	off := *sync
	off.Enabled = false
	for _, p := range []*pipeline.Pipeline{&long, &auto, &off} {
		if got := notes(p); got != "" {
			t.Errorf("%+v: %s", p.Grace, got)
		}
	}
	check(t, l.Probed(t.Context(), "pm2/sync", ledger.Probe{Refused: true, Verdict: pipeline.Unknown, Why: "401: set GITHUB_TOKEN", Since: day(1)}))
	if got := notes(&long); got != "pm2/sync nothing was ever known of its primary: 401: set GITHUB_TOKEN\n" {
		t.Errorf("%q", got)
	}
	check(t, l.Probed(t.Context(), "pm2/sync", ledger.Probe{Known: true, Verdict: pipeline.Delivered, Since: day(1)}))
	check(t, l.Probed(t.Context(), "pm2/sync", ledger.Probe{Known: true, Verdict: pipeline.Unknown, Why: "no answer", Since: day(2)}))
	if got := notes(&long); got != "pm2/sync its primary cannot be looked at since 2026-11-02T03:00:00Z: no answer\n" {
		t.Errorf("%q", got)
	}
}

// TestFailoversOfALedger holds that a slot counts once however often its backup
// was tried, and that late primaries count with how late they were.
func TestFailoversOfALedger(t *testing.T) {
	t.Parallel()
	l, h := open(t)
	s := ledger.Slot{System: "pm2", Name: "sync", At: time.Now().Add(-time.Hour).UTC().Truncate(time.Second), Next: time.Now().Add(time.Hour)}
	_, err := l.Open(t.Context(), []ledger.Slot{s})
	check(t, err)
	run, err := l.Settle(t.Context(), ledger.Settled{Slot: s, Run: true, Reason: "primary-missing", Detail: "runs"})
	check(t, err)
	for attempt := 1; attempt <= 2; attempt++ {
		r, err := h.Claim(t.Context(), run.ID, history.Definition{})
		check(t, err)
		r.State = pipeline.Failed
		if attempt == 2 {
			r.State = pipeline.Succeeded
		}
		check(t, h.Finish(t.Context(), &r))
		if attempt == 1 {
			run, err = h.Enqueue(t.Context(), history.Order{System: "pm2", Pipeline: "sync", Trigger: "failover", Reason: "retry", Slot: s.At, Attempt: 2, After: run.ID})
			check(t, err)
		}
	}
	s.Late, s.Reading = 40*time.Minute, pipeline.Reading{Verdict: pipeline.UnderWay, Began: s.At.Add(40 * time.Minute)}
	_, err = l.Late(t.Context(), s, "it turned up")
	check(t, err)
	sum, err := h.Summary(t.Context(), time.Now().Add(-24*time.Hour), time.Now().Add(time.Hour))
	check(t, err)
	got := report.Of(report.Content{Summary: sum}).Systems
	if len(got) != 1 || len(got[0].Pipelines) != 1 {
		t.Fatalf("%+v", got)
	}
	for _, x := range []report.Row{got[0], got[0].Pipelines[0]} {
		if x.Runs != 2 || x.Failovers != 1 || x.LatePrimaries != 1 || x.Lateness.Max == nil || *x.Lateness.Max != 40*60*1000 || x.Recovery.Max == nil || *x.Recovery.Max < 3600*1000 {
			t.Errorf("%+v, lateness %v, recovery %v", x, x.Lateness.Max, x.Recovery.Max)
		}
	}
}

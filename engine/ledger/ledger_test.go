package ledger_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/ledger"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/store"
)

// book is a ledger with the history beside it.
type book struct {
	*testing.T
	*ledger.Ledger
	history *history.History
	db      *store.DB
}

func open(t *testing.T) *book {
	t.Helper()
	db, err := store.Open(t.Context(), store.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	h := history.New(db)
	t.Cleanup(func() { h.Close(); db.Close() })
	return &book{t, ledger.New(db), h, db}
}

func (b *book) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// at is the slot of an hour, one that has passed.
func at(n int) time.Time { return time.Date(2026, 1, 1, n, 0, 0, 0, time.UTC) }

func sync(n int) ledger.Slot {
	return ledger.Slot{System: "pm2", Name: "sync", At: at(n), Next: at(n + 1)}
}

func (b *book) open(hours ...int) {
	b.Helper()
	var list []ledger.Slot
	for _, n := range hours {
		list = append(list, sync(n))
	}
	got, err := b.Open(b.Context(), list)
	b.must(err)
	if len(got) != len(hours) {
		b.Fatalf("%d of %d are open", len(got), len(hours))
	}
}

func (b *book) slot(n int) ledger.Slot {
	b.Helper()
	s, ok, err := b.Slot(b.Context(), "pm2", "sync", at(n))
	b.must(err)
	if !ok {
		b.Fatalf("slot %d is not there", n)
	}
	return s
}

func (b *book) settle(d ledger.Settled) pipeline.Run {
	b.Helper()
	d.Detail = "because"
	run, err := b.Settle(b.Context(), d)
	b.must(err)
	return run
}

// TestSettle holds that an open slot is decided once, with a run that says why.
func TestSettle(t *testing.T) {
	t.Parallel()
	b := open(t)
	b.open(1, 2)
	if list, err := b.Watched(t.Context()); err != nil || len(list) != 2 || !list[0].At.Equal(at(1)) || !list[0].Next.Equal(at(2)) {
		t.Errorf("%+v, %v", list, err)
	}
	s := sync(1)
	s.Reading = pipeline.Reading{Verdict: pipeline.Delivered, Reason: "it did", Run: "77", Began: at(1).Add(time.Minute), Ended: at(1).Add(2 * time.Minute), Evidence: map[string]any{"status": 200.0}}
	b.must(b.Read(t.Context(), s, "succeeded: it did"))
	if got := b.slot(1); got.Reading.Verdict != pipeline.Delivered || got.Reading.Run != "77" || got.Reading.Evidence["status"] != 200.0 || !got.Reading.Began.Equal(s.Reading.Began) {
		t.Errorf("%+v", got)
	}
	skipped := b.settle(ledger.Settled{Slot: s, Kind: "heartbeat", Reason: "primary-succeeded"})
	ran := b.settle(ledger.Settled{Slot: sync(2), Kind: "heartbeat", Run: true, Reason: "primary-missing"})
	if skipped.State != pipeline.Skipped || ran.State != pipeline.Queued || skipped.Trigger != "failover" || ran.Reason != "primary-missing" {
		t.Errorf("%+v, %+v", skipped, ran)
	}
	if again := b.settle(ledger.Settled{Slot: s, Run: true, Reason: "primary-missing"}); again.ID != 0 {
		t.Errorf("decided twice: %+v", again)
	}
	if w, err := b.Witness(t.Context(), skipped.ID); err != nil || w == nil || w.Kind != "heartbeat" || w.Verdict != pipeline.Delivered || w.Reason != "it did" || w.Evidence["status"] != 200.0 {
		t.Errorf("%+v, %v", w, err)
	}
	story, err := b.Story(t.Context(), "pm2/sync", at(1))
	if err != nil || len(story) != 2 || story[0].Detail != "succeeded: it did" || story[1].What != "decided" {
		t.Errorf("%+v, %v", story, err)
	}
	// The run is one like others, and raises the slot's fence.
	run, err := b.history.Claim(t.Context(), ran.ID, history.Definition{})
	if err != nil || run.Fence != 1 || b.slot(2).Fence != 1 {
		t.Errorf("%+v, %v", run, err)
	}
	if open, err := b.Open(t.Context(), []ledger.Slot{sync(1), sync(2)}); err != nil || len(open) != 0 {
		t.Errorf("open again: %+v, %v", open, err)
	}
	late, took, err := b.Learned(t.Context(), "pm2/sync")
	if err != nil || len(late) != 1 || late[0] != time.Minute || len(took) != 1 || took[0] != time.Minute {
		t.Errorf("%v, %v, %v", late, took, err)
	}
}

// TestByHand holds that a slot which a run by hand serves is not open.
func TestByHand(t *testing.T) {
	t.Parallel()
	b := open(t)
	b.open(1)
	r := pipeline.Run{System: "pm2", Pipeline: "sync", Trigger: "manual", Slot: at(1), Reason: "manual"}
	b.must(b.history.Begin(t.Context(), &r, history.Definition{}))
	if run := b.settle(ledger.Settled{Slot: sync(1), Run: true, Reason: "primary-missing"}); run.ID != 0 {
		t.Errorf("%+v", run)
	}
	if list, err := b.Watched(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
}

// TestDelivered holds that no run by hand serves a slot that its primary
// delivered.
func TestDelivered(t *testing.T) {
	t.Parallel()
	b := open(t)
	b.open(1, 2)
	b.settle(ledger.Settled{Slot: sync(1), Reason: "primary-succeeded"})
	b.settle(ledger.Settled{Slot: sync(2), Reason: "primary-unknown"})
	for n, want := range map[int]string{1: "the primary delivered this slot (primary-succeeded)", 2: ""} {
		r := pipeline.Run{System: "pm2", Pipeline: "sync", Trigger: "manual", Slot: at(n), Reason: "manual"}
		err := b.history.Begin(t.Context(), &r, history.Definition{})
		if (err == nil) != (want == "") || err != nil && err.Error() != want {
			t.Errorf("slot %d: %v", n, err)
		}
	}
}

// TestSince holds that a success delivers the open slots before it, and takes
// away the runs of theirs that wait.
func TestSince(t *testing.T) {
	t.Parallel()
	b := open(t)
	b.open(1, 2, 3, 4)
	waits := b.settle(ledger.Settled{Slot: sync(1), Run: true, Reason: "primary-missing"})
	b.settle(ledger.Settled{Slot: sync(3), Reason: "primary-succeeded", Since: true})
	for n, want := range map[int]string{1: "superseded", 2: "superseded", 3: "primary-succeeded", 4: ""} {
		if s := b.slot(n); s.Reason != want || (want == "") != (s.Decision == "") {
			t.Errorf("slot %d: %+v", n, s)
		}
	}
	if r, err := b.history.Run(t.Context(), waits.ID); err != nil || r.State != pipeline.Skipped || r.Reason != "superseded" {
		t.Errorf("%+v, %v", r, err)
	}
}

// TestOwnSuccessDelivers holds that what a success of the backup delivers beside
// its own slot is recorded with its end: a process that dies between the two
// would have left slots open that nobody needs any more.
func TestOwnSuccessDelivers(t *testing.T) {
	t.Parallel()
	b := open(t)
	b.open(1, 2, 3)
	p := &pipeline.Pipeline{System: "pm2", Name: "sync", Covers: "since"}
	r := pipeline.Run{System: "pm2", Pipeline: "sync", Trigger: "manual", Slot: at(2), Reason: "manual"}
	if err := b.history.Begin(t.Context(), &r, history.Definition{}); err != nil {
		t.Fatal(err)
	}
	r.State = pipeline.Failed
	if ledger.Delivers(p, r) != nil || ledger.Delivers(&pipeline.Pipeline{}, r) != nil {
		t.Error("a failure delivers")
	}
	r.State = pipeline.Succeeded
	refused := errors.New("refused")
	err := b.history.FinishWith(t.Context(), &r, func(tx *store.Tx) error { return errors.Join(ledger.Delivers(p, r)(tx), refused) })
	if x, _ := b.history.Run(t.Context(), r.ID); !errors.Is(err, refused) || x.State != pipeline.Running || b.slot(1).Decision != "" {
		t.Errorf("one was written without the other: %v, %+v, %+v", err, x, b.slot(1))
	}
	if err := b.history.FinishWith(t.Context(), &r, ledger.Delivers(p, r)); err != nil {
		t.Fatal(err)
	}
	if got := b.slot(1); got.Reason != "superseded" {
		t.Errorf("%+v", got)
	}
	if got := b.slot(3); got.Decision != "" {
		t.Errorf("%+v", got)
	}
}

// TestTurn holds what the last look changes.
func TestTurn(t *testing.T) {
	t.Parallel()
	b := open(t)
	b.open(1, 2)
	one := b.settle(ledger.Settled{Slot: sync(1), Run: true, Reason: "primary-missing"})
	two := b.settle(ledger.Settled{Slot: sync(2), Run: true, Reason: "primary-missing"})
	b.must(b.Turn(t.Context(), ledger.Turn{Run: one.ID, Slot: sync(1), Skip: true, Reason: "primary-succeeded", Detail: "it came"}))
	due := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	b.must(b.Turn(t.Context(), ledger.Turn{Run: two.ID, Slot: sync(2), Reason: "primary-missing", Due: due}))
	list, err := b.history.Queue(t.Context())
	if err != nil || len(list) != 1 || list[0].ID != two.ID || !list[0].Due.Equal(due) {
		t.Errorf("%+v, %v", list, err)
	}
	if s := b.slot(1); s.Decision != "skip" || s.Reason != "primary-succeeded" {
		t.Errorf("%+v", s)
	}
}

// TestBeatsOfAClaim holds that the heartbeats of a run to which a slot was granted
// are of that slot, also when they come after the next one began, and those of
// others are not.
func TestBeatsOfAClaim(t *testing.T) {
	t.Parallel()
	b := open(t)
	b.open(1, 2)
	if g, err := b.Claim(t.Context(), ledger.Ask{System: "pm2", Name: "sync", Slot: at(1), Next: at(2), Run: "late", For: time.Hour}); err != nil || !g.Granted {
		t.Fatalf("%+v, %v", g, err)
	}
	for _, x := range []pipeline.Heartbeat{
		{Run: "late", State: "started"}, {Run: "other", State: "started"}, {State: "started"}, {Run: "late", State: "succeeded", Slot: at(2)},
	} {
		x.At = at(2).Add(time.Minute)
		if _, err := b.Beat(t.Context(), "pm2/sync", x); err != nil {
			t.Fatal(err)
		}
	}
	list, err := b.Beats(t.Context(), "pm2/sync", time.Time{})
	var got []time.Time
	for _, x := range list {
		got = append(got, x.Slot)
	}
	if want := []time.Time{at(1), {}, {}, at(2)}; err != nil || !slices.EqualFunc(got, want, time.Time.Equal) {
		t.Errorf("%v, want %v: %v", got, want, err)
	}
}

// TestClaims holds when a primary may go on, and that the same question gets
// the same answer.
func TestClaims(t *testing.T) {
	t.Parallel()
	b := open(t)
	ask := func(n int, run string) ledger.Grant {
		t.Helper()
		g, err := b.Claim(t.Context(), ledger.Ask{System: "pm2", Name: "sync", Slot: at(n), Next: at(n + 1), Run: run, For: time.Hour})
		b.must(err)
		return g
	}
	b.open(1, 2, 3)
	first := ask(1, "77")
	if !first.Granted || first.Fence != 1 || time.Until(first.Until) < 59*time.Minute {
		t.Errorf("%+v", first)
	}
	if again := ask(1, "77"); again.Granted != first.Granted || again.Fence != first.Fence || !again.Until.Equal(first.Until) {
		t.Errorf("%+v, then %+v", first, again)
	}
	if other := ask(1, "78"); other.Granted {
		t.Errorf("two have it: %+v", other)
	}
	// A run of the backup that waits does not stand against it, and goes on waiting
	// until the lease is over; its fence is higher then.
	waits := b.settle(ledger.Settled{Slot: sync(2), Run: true, Reason: "primary-missing"})
	leased := ask(2, "77")
	if !leased.Granted {
		t.Errorf("%+v", leased)
	}
	var until *history.Leased
	if run, err := b.history.Claim(t.Context(), waits.ID, history.Definition{}); !errors.As(err, &until) || !until.Until.Equal(leased.Until.Truncate(time.Microsecond)) {
		t.Errorf("both have it: %+v, %v", run, err)
	}
	if g := ask(2, "79"); g.Granted || !strings.Contains(g.Why, "another run") {
		t.Errorf("%+v", g)
	}
	before := b.slot(2)
	before.Lease = before.Lease.Add(-time.Second) // it was granted once more since
	b.must(b.Release(t.Context(), before))
	if _, err := b.history.Claim(t.Context(), waits.ID, history.Definition{}); !errors.As(err, &until) {
		t.Error(err)
	}
	b.must(b.Release(t.Context(), b.slot(2)))
	run, err := b.history.Claim(t.Context(), waits.ID, history.Definition{})
	if err != nil || run.Fence != 2 {
		t.Errorf("%+v, %v", run, err)
	}
	if g := ask(2, "79"); g.Granted || !strings.Contains(g.Why, "the backup runs") {
		t.Errorf("%+v", g)
	}
	b.settle(ledger.Settled{Slot: sync(3), Reason: "primary-succeeded"})
	if g := ask(3, "77"); g.Granted {
		t.Errorf("delivered, and granted: %+v", g)
	}
	b.must(b.Release(t.Context(), b.slot(1)))
	served := b.settle(ledger.Settled{Slot: sync(1), Run: true, Reason: "primary-stalled"})
	if _, err := b.history.Claim(t.Context(), served.ID, history.Definition{}); err != nil {
		t.Fatal(err)
	}
	// One that nobody has opened yet is opened by the claim, and by the schedule after it.
	if g := ask(9, "77"); !g.Granted {
		t.Errorf("%+v", g)
	}
	b.open(9)
	if s := b.slot(9); s.Claimed != "77" || s.Lease.IsZero() {
		t.Errorf("%+v", s)
	}
}

// TestClaimOfASlotThatNobodyKeeps holds that a primary which asks for a slot that
// the schedule has left behind, or that was before its pipeline, may run, and
// opens no slot for a backup.
func TestClaimOfASlotThatNobodyKeeps(t *testing.T) {
	t.Parallel()
	b := open(t)
	b.open(5, 6)
	for n, kept := range map[int]bool{1: false, 4: false, 5: true, 7: false, 8: true} {
		a := ledger.Ask{System: "pm2", Name: "sync", Slot: at(n), Next: at(n + 1), Run: "77", For: time.Hour}
		if n > 6 {
			a.Since = at(7)
		}
		g, err := b.Claim(t.Context(), a)
		if err != nil || !g.Granted || g.Fence != 1 || time.Until(g.Until) < 59*time.Minute {
			t.Errorf("slot %d: %+v, %v", n, g, err)
		}
		if _, there, err := b.Slot(t.Context(), "pm2", "sync", at(n)); there != kept || err != nil {
			t.Errorf("slot %d is kept: %t, %v", n, there, err)
		}
	}
	if list, err := b.Watched(t.Context()); err != nil || len(list) != 3 {
		t.Errorf("%+v, %v", list, err)
	}
}

// TestClaimOfOneThatGoesOn holds that a run of the backup whose process died, and
// which waits to go on, keeps its slot.
func TestClaimOfOneThatGoesOn(t *testing.T) {
	t.Parallel()
	b := open(t)
	b.open(1)
	waits := b.settle(ledger.Settled{Slot: sync(1), Run: true, Reason: "primary-missing"})
	dies := history.New(b.db)
	_, err := dies.Claim(t.Context(), waits.ID, history.Definition{})
	b.must(err)
	b.must(dies.Close())
	_, err = b.history.Rescue(t.Context(), func(string) error { return nil })
	b.must(err)
	b.must(b.history.Again(t.Context(), waits.ID, history.Resumed, time.Time{}))
	if g, err := b.Claim(t.Context(), ledger.Ask{System: "pm2", Name: "sync", Slot: at(1), Next: at(2), Run: "77", For: time.Hour}); err != nil || g.Granted || g.Why != "the backup runs for it" {
		t.Errorf("%+v, %v", g, err)
	}
}

// TestBeats holds that a repeated heartbeat changes nothing, and one without an
// id is one of its own.
func TestBeats(t *testing.T) {
	t.Parallel()
	b := open(t)
	beat := func(n int, run, state string) bool {
		t.Helper()
		first, err := b.Beat(t.Context(), "pm2/sync", pipeline.Heartbeat{At: at(n), State: state, Run: run, Body: fmt.Sprint(n)})
		b.must(err)
		return first
	}
	if !beat(1, "77", "started") || beat(2, "77", "started") || !beat(3, "77", "succeeded") || !beat(4, "", "succeeded") || !beat(4, "", "succeeded") {
		t.Error("not told apart")
	}
	list, err := b.Beats(t.Context(), "pm2/sync", at(2))
	if err != nil || len(list) != 3 || list[0].State != "succeeded" || list[0].Body != "3" || list[0].Run != "77" {
		t.Errorf("%+v, %v", list, err)
	}
	if all, err := b.Beats(t.Context(), "pm2/sync", time.Time{}); err != nil || len(all) != 4 {
		t.Errorf("%+v, %v", all, err)
	}
}

// TestProbes holds that what was known once stays known.
func TestProbes(t *testing.T) {
	t.Parallel()
	b := open(t)
	b.must(b.Probed(t.Context(), "pm2/sync", ledger.Probe{Known: true, Verdict: pipeline.Delivered, Since: at(1)}))
	b.must(b.Probed(t.Context(), "pm2/sync", ledger.Probe{Verdict: pipeline.Unknown, Why: "no answer", Since: at(2)}))
	all, err := b.Probes(t.Context())
	if p := all["pm2/sync"]; err != nil || !p.Known || p.Verdict != pipeline.Unknown || p.Why != "no answer" || !p.Since.Equal(at(2)) {
		t.Errorf("%+v, %v", all, err)
	}
}

// TestLearnsOfItsOwn holds that a run which was asked for says nothing of how late
// the primary comes by itself, and one that came all the same does.
func TestLearnsOfItsOwn(t *testing.T) {
	t.Parallel()
	b := open(t)
	b.open(1, 2, 3)
	for n, run := range map[int]string{1: "77", 2: "78", 3: "79"} {
		s := sync(n)
		s.Asked, s.Dispatched = at(n).Add(30*time.Minute), "77"
		if n == 3 {
			s.Asked, s.Dispatched = time.Time{}, "" // it was not asked
		}
		s.Reading = pipeline.Reading{Verdict: pipeline.Delivered, Run: run, Began: at(n).Add(time.Duration(n) * time.Minute), Ended: at(n).Add(time.Hour)}
		b.must(b.Read(t.Context(), s, ""))
	}
	late, took, err := b.Learned(t.Context(), "pm2/sync")
	if err != nil || !slices.Equal(late, []time.Duration{3 * time.Minute, 2 * time.Minute}) || len(took) != 2 {
		t.Errorf("%v, %v, %v", late, took, err)
	}
}

// TestLate holds that a late primary is recorded once, and learned from.
func TestLate(t *testing.T) {
	t.Parallel()
	b := open(t)
	b.open(1)
	b.settle(ledger.Settled{Slot: sync(1), Run: true, Reason: "primary-missing"})
	s := b.slot(1)
	s.Late, s.Reading = 40*time.Minute, pipeline.Reading{Began: at(1).Add(40 * time.Minute), Run: "77"}
	for _, want := range []bool{true, false} {
		if first, err := b.Late(t.Context(), s, "late"); err != nil || first != want {
			t.Errorf("%v, %v", first, err)
		}
	}
	if late, _, err := b.Learned(t.Context(), "pm2/sync"); err != nil || len(late) != 1 || late[0] != 40*time.Minute {
		t.Errorf("%v, %v", late, err)
	}
}

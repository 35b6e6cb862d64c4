package engine_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine"
	"github.com/redundctl/redundctl/engine/api"
	"github.com/redundctl/redundctl/engine/builtin"
	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/pipeline"
)

const heard = `
version: 1
name: a
system: pm2
primary: {heartbeat: {}, every: 700ms, stall-after: 6s}
grace: 2s
overlap: allow
schedule: {every: 4s}
steps: [{exec: ["true"]}]
`

// slotIs waits for the next slot of a period, and gives it.
func slotIs(period time.Duration) time.Time {
	next := time.Now().Truncate(period).Add(period)
	<-time.After(time.Until(next) + 20*time.Millisecond)
	return next.UTC()
}

// endOf waits until a slot is decided and its run has ended, and gives that.
func endOf(t *testing.T, p *config.Project, slot time.Time) pipeline.Run {
	t.Helper()
	var r pipeline.Run
	until(t, "the end of slot "+pipeline.Time(slot), func() bool {
		var ok bool
		r, ok = decided(t, p)[slot.Unix()]
		return ok
	})
	return r
}

// TestHeartbeats holds what a primary that calls has decided: delivered, failed,
// silent, and never heard.
func TestHeartbeats(t *testing.T) {
	t.Parallel()
	p := project(t, map[string]string{"pipelines/pm2/a.yaml": heard})
	e, end := serveOnly(t, p, builtin.Kinds())
	beat := func(state, run string) {
		t.Helper()
		if err := e.Primaries().Heartbeat(t.Context(), "pm2/a", pipeline.Heartbeat{At: time.Now(), State: state, Run: run, Body: "it says " + state}); err != nil {
			t.Fatal(err)
		}
	}
	if r := endOf(t, p, slotIs(4*time.Second)); r.State != pipeline.Skipped || r.Reason != "primary-unknown" {
		t.Errorf("never heard: %s %s", r.State, r.Reason)
	}
	slot := slotIs(4 * time.Second)
	beat("started", "1")
	beat("succeeded", "1")
	beat("succeeded", "1") // replayed
	if r := endOf(t, p, slot); r.State != pipeline.Skipped || r.Reason != "primary-succeeded" {
		t.Errorf("delivered: %s %s", r.State, r.Reason)
	}
	slot = slotIs(4 * time.Second)
	<-time.After(100 * time.Millisecond) // it was looked at for this slot
	beat("started", "2")
	beat("failed", "2")
	from := time.Now()
	if r := endOf(t, p, slot); r.State != pipeline.Succeeded || r.Reason != "primary-failed" || time.Since(from) > 3*time.Second {
		t.Errorf("failed: %s %s after %s", r.State, r.Reason, time.Since(from))
	}
	slot = slotIs(4 * time.Second)
	beat("failed", "2") // replayed: it is the last slot's
	if r := endOf(t, p, slot); r.State != pipeline.Succeeded || r.Reason != "primary-missing" {
		t.Errorf("silent: %s %s", r.State, r.Reason)
	}
	if err := e.Primaries().Heartbeat(t.Context(), "pm2/b", pipeline.Heartbeat{At: time.Now(), State: "started"}); !errors.Is(err, api.ErrNoPipeline) {
		t.Error(err)
	}
	if err := e.Primaries().Heartbeat(t.Context(), "pm2/a", pipeline.Heartbeat{At: time.Now(), State: "started", Slot: slot.Add(time.Second)}); !errors.Is(err, api.ErrBadSlot) {
		t.Error(err)
	}
	for named, good := range map[time.Time]bool{slot.Add(4 * time.Second): true, slot.Add(2 * time.Hour): false} { // clocks differ
		err := e.Primaries().Heartbeat(t.Context(), "pm2/a", pipeline.Heartbeat{At: time.Now(), State: "started", Run: "9", Slot: named})
		if good && err != nil || !good && !errors.Is(err, api.ErrBadSlot) {
			t.Errorf("a slot to come, %s: %v", named, err)
		}
	}
	token, known, err := e.Primaries().PrimaryToken("pm2/a")
	kept, rerr := os.ReadFile(filepath.Join(p.State, "tokens", "pm2", "a"))
	if err != nil || rerr != nil || !known || token != strings.TrimSpace(string(kept)) {
		t.Errorf("the token %v, %v, %v", known, err, rerr)
	}
	if err := end(); err != nil {
		t.Error(err)
	}
}

// TestClaimsOfPrimaries holds that a late primary asks and stands down, or goes
// on while the backup waits, and that a grant is a lease.
func TestClaimsOfPrimaries(t *testing.T) {
	t.Parallel()
	p := project(t, map[string]string{"pipelines/pm2/a.yaml": heard})
	e, end := serveOnly(t, p, builtin.Kinds())
	claim := func(slot time.Time, run string) api.Claim {
		t.Helper()
		c, err := e.Primaries().Claim(t.Context(), "pm2/a", api.ClaimAsk{Slot: slot, Run: run})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	old := time.Now().Add(-400 * 24 * time.Hour).Truncate(4 * time.Second).UTC()
	for _, before := range []time.Time{old, time.Now().Add(-time.Hour).Truncate(4 * time.Second).UTC()} {
		if c := claim(before, "0"); !c.Granted || !strings.Contains(c.Why, "does not keep") {
			t.Errorf("before there was a backup: %+v", c)
		}
	}
	slot := slotIs(4 * time.Second)
	if c := claim(slot, "1"); !c.Granted || c.Until == nil || c.Fence != 1 {
		t.Errorf("in time: %+v", c)
	}
	<-time.After(2500 * time.Millisecond) // past its grace
	if r, ok := decided(t, p)[slot.Unix()]; ok {
		t.Errorf("decided under a grant: %+v", r)
	}
	if err := e.Primaries().Heartbeat(t.Context(), "pm2/a", pipeline.Heartbeat{At: time.Now(), State: "succeeded", Run: "1", Slot: slot}); err != nil {
		t.Fatal(err)
	}
	if r := endOf(t, p, slot); r.State != pipeline.Skipped || r.Reason != "claimed-by-primary" {
		t.Errorf("delivered under a grant: %s %s", r.State, r.Reason)
	}
	slot = slotIs(4 * time.Second)
	if c := claim(slot, "2"); !c.Granted {
		t.Errorf("%+v", c)
	}
	if r := endOf(t, p, slot); r.State != pipeline.Succeeded || r.Reason != "primary-stalled" || r.Fence != 2 {
		t.Errorf("past its lease: %s %s, fence %d", r.State, r.Reason, r.Fence)
	}
	if c := claim(slot, "2"); c.Granted || c.Why == "" {
		t.Errorf("after the backup: %+v", c)
	}
	created, err := e.Primaries().Claim(t.Context(), "pm2/a", api.ClaimAsk{Created: slot.Add(time.Second), Run: "3"})
	if err != nil || created.Slot != pipeline.Time(slot) || created.Granted {
		t.Errorf("%+v, %v", created, err)
	}
	for _, bad := range []time.Time{slot.Add(time.Second), slot.Add(time.Hour)} {
		if _, err := e.Primaries().Claim(t.Context(), "pm2/a", api.ClaimAsk{Slot: bad}); !errors.Is(err, api.ErrBadSlot) {
			t.Errorf("%s: %v", bad, err)
		}
	}
	if err := end(); err != nil {
		t.Error(err)
	}
	if late := eventsOf(t, p, "late-primary"); len(late) != 1 || !strings.Contains(late[0].Detail, "stands down") {
		t.Errorf("%+v", late)
	}
	if first := slices.MinFunc(runs(t, p), func(a, b pipeline.Run) int { return a.Slot.Compare(b.Slot) }); time.Since(first.Slot) > time.Hour {
		t.Errorf("a claim had the backup run for an old slot: %+v", first)
	}
	if n := len(eventsOf(t, p, "claim")); n != 2 {
		t.Error(fmt.Sprint(n, " claims"))
	}
}

// TestClaimAtTheLastLook holds that a slot which its primary is granted while the
// backup is about to begin with it is not the backup's too; a primary that fails
// under its grant has it no more.
func TestClaimAtTheLastLook(t *testing.T) {
	t.Parallel()
	var serving atomic.Pointer[engine.Engine]
	var granted, failing sync.Map // of slots
	s := &stage{does: func(_ int, w pipeline.Window) (pipeline.Reading, error) {
		nothing := pipeline.Reading{Verdict: pipeline.Nothing}
		e := serving.Load()
		if _, ok := failing.Load(w.Slot); ok {
			return pipeline.Reading{Verdict: pipeline.NotDelivered, Run: "1"}, nil
		}
		if e == nil || w.Slot.Unix()%2 != 0 {
			return nothing, nil
		}
		list, err := e.Records().Runs(context.Background(), history.Filter{})
		for _, r := range list {
			if err == nil && r.Slot.Equal(w.Slot) && r.State == pipeline.Queued {
				if c, err := e.Primaries().Claim(context.Background(), "pm2/a", api.ClaimAsk{Slot: w.Slot, Run: "1"}); err == nil && c.Granted {
					granted.Store(w.Slot, true)
				}
			}
		}
		return nothing, nil
	}}
	files := backup(", stall-after: 1h")
	files["redund.yaml"] = "version: 1\nsystems: {pm2: {concurrency: 1}}\n"
	p := project(t, files)
	e, end := serveOnly(t, p, s.kinds())
	serving.Store(e)
	var slot time.Time
	until(t, "a slot that was granted, and the run of a later one", func() bool {
		granted.Range(func(at, _ any) bool { slot = at.(time.Time); return false })
		return !slot.IsZero() && decided(t, p)[slot.Unix()+1].State == pipeline.Succeeded
	})
	for _, r := range runs(t, p) {
		if _, ok := granted.Load(r.Slot); ok && !r.Started.IsZero() {
			t.Errorf("the backup and the primary have slot %s: %+v", pipeline.Time(r.Slot), r)
		}
	}
	failing.Store(slot, true)
	serving.Store(nil)
	if err := end(); err != nil { // the next engine looks at once
		t.Error(err)
	}
	p = load(t.Context(), t.Fatalf, p.Root)
	_, end = serveOnly(t, p, s.kinds())
	if r := endOf(t, p, slot); r.State != pipeline.Succeeded || r.Reason != "primary-failed" {
		t.Errorf("failed under its grant: %s %s", r.State, r.Reason)
	}
	if err := end(); err != nil {
		t.Error(err)
	}
}

// TestTokensAreThere holds that a primary can be set up before it calls: the token
// of its pipeline is made when that comes into force, unless it has its own.
func TestTokensAreThere(t *testing.T) {
	p := project(t, map[string]string{"pipelines/pm2/a.yaml": heard, "pipelines/pm2/plain.yaml": "version: 1\nname: plain\nsteps: [{run: echo}]\n"})
	e := serve(t, p)
	there := func(name string) bool {
		token, err := os.ReadFile(filepath.Join(p.State, "tokens", "pm2", name))
		return err == nil && len(token) > 40
	}
	until(t, "the token of pm2/a", func() bool { return there("a") })
	for name, text := range map[string]string{
		"b": strings.Replace(heard, "name: a", "name: b", 1),
		"c": strings.Replace(strings.Replace(heard, "name: a", "name: c", 1), "heartbeat: {}", "heartbeat: {token: mine}", 1),
	} {
		if err := os.WriteFile(filepath.Join(p.Root, "pipelines", "pm2", name+".yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	until(t, "the token of pm2/b", func() bool { return there("b") })
	if token, known, err := e.Primaries().PrimaryToken("pm2/c"); token != "mine" || !known || err != nil {
		t.Errorf("its own: %q, %t, %v", token, known, err)
	}
	if there("c") || there("plain") {
		t.Error("a token was made for nobody")
	}
}

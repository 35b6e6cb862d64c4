package engine_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redundctl/redundctl/engine"
	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// world is what a test of failover knows beside the engine: when which primary
// ran, and what was done for which slot, by whom. It is the oracle; the ledger
// is not asked.
type world struct {
	mu     sync.Mutex
	random *rand.Rand
	plans  map[string]map[int64]*plan // by pipeline and slot
	outage [][2]time.Time             // the primaries' platform does not answer
	did    []effect
	starts map[string]time.Time // when the backup first began with a slot
}

// plan is what a primary does for one slot.
type plan struct {
	never       bool
	begins, end time.Time
	fails       bool
	cancelled   bool
}

// effect is one piece of work that was done for a slot.
type effect struct {
	pipeline   string
	slot, from time.Time // and when it began
	at         time.Time
	fence      int64
	byHand     bool
}

// plan gives what the primary of a pipeline does for a slot.
func (w *world) plan(id string, slot time.Time) *plan {
	p := w.plans[id][slot.Unix()]
	if p != nil {
		return p
	}
	p = &plan{}
	lateness := time.Duration(w.random.ExpFloat64() * float64(time.Minute))
	switch w.random.IntN(10) {
	case 0:
		p.never = true
	case 1:
		p.fails = true
	case 2, 3, 4:
		lateness += 4*time.Minute + time.Duration(w.random.Int64N(int64(15*time.Minute)))
	}
	p.begins = slot.Add(lateness)
	p.end = p.begins.Add(time.Minute + time.Duration(w.random.Int64N(int64(3*time.Minute))))
	if w.random.IntN(20) == 0 {
		p.end = p.end.Add(20 * time.Minute) // it hangs
	}
	if w.plans[id] == nil {
		w.plans[id] = map[int64]*plan{}
	}
	w.plans[id][slot.Unix()] = p
	return p
}

func (w *world) out(at time.Time) bool {
	return slices.ContainsFunc(w.outage, func(o [2]time.Time) bool { return !at.Before(o[0]) && at.Before(o[1]) })
}

// primary is the primary of one pipeline.
type primary struct {
	w  *world
	id string
}

// Probe says what can be seen of it now.
func (p *primary) Probe(_ context.Context, w pipeline.Window) (pipeline.Reading, error) {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	now := time.Now()
	if p.w.out(now) {
		return pipeline.Reading{}, fmt.Errorf("the platform does not answer")
	}
	x := p.w.plan(p.id, w.Slot)
	r := pipeline.Reading{Verdict: pipeline.Nothing, Run: fmt.Sprint("r", w.Slot.Unix()), Began: x.begins, Scheduled: true}
	switch {
	case x.never || now.Before(x.begins) || !x.begins.Before(w.Next):
		return pipeline.Reading{Verdict: pipeline.Nothing}, nil
	case x.cancelled:
		r.Verdict, r.Ended = pipeline.NotDelivered, x.end
	case now.Before(x.end):
		r.Verdict = pipeline.UnderWay
	case x.fails:
		r.Verdict, r.Ended = pipeline.NotDelivered, x.end
	default:
		r.Verdict, r.Ended = pipeline.Delivered, x.end
	}
	return r, nil
}

// Cancel ends what it does.
func (p *primary) Cancel(_ context.Context, r pipeline.Reading) error {
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	unix, err := strconv.ParseInt(strings.TrimPrefix(r.Run, "r"), 10, 64)
	if x := p.w.plans[p.id][unix]; err == nil && x != nil && time.Now().Before(x.end) {
		x.cancelled, x.end = true, time.Now()
	}
	return nil
}

// deed is the work of a backup.
type deed struct{ w *world }

// Run does it, in some minutes.
func (d *deed) Run(ctx context.Context, s *pipeline.Scope) (pipeline.Outputs, error) {
	d.w.mu.Lock()
	if key := s.Run.Pipeline + s.Run.Slot; d.w.starts[key].IsZero() {
		d.w.starts[key] = time.Now()
	}
	from := d.w.starts[s.Run.Pipeline+s.Run.Slot] // a run that goes on had begun before
	d.w.mu.Unlock()
	select {
	case <-time.After(3 * time.Minute):
	case <-ctx.Done():
		return pipeline.Outputs{}, ctx.Err()
	}
	slot, err := time.Parse(time.RFC3339, s.Run.Slot)
	if err != nil {
		return pipeline.Outputs{}, err
	}
	d.w.mu.Lock()
	defer d.w.mu.Unlock()
	d.w.did = append(d.w.did, effect{s.Run.Pipeline, slot, from, time.Now(), s.Run.Fence, s.Run.Trigger == "api"})
	return pipeline.Outputs{}, nil
}

// Plan says nothing.
func (d *deed) Plan(context.Context, *pipeline.Scope) ([]pipeline.Effect, error) { return nil, nil }

// kinds are the shipped ones with the world in their places.
func (w *world) kinds() *kind.Set {
	return standIns(func(d kind.PrimaryDeps) pipeline.Probe { return &primary{w, d.Pipeline.Name} }, &deed{w})
}

const watchedText = `version: 1
name: %[1]s
system: pm2
description: %[3]q
primary: {file: {path: nowhere}, every: 1m, stall-after: 10m, %[2]s}
grace: 5m
missed: run-all
overlap: allow
retry: {attempts: 5, delay: 1s}
schedule: {every: 15m}
steps: [{exec: ["true"], idempotent: true}]
`

// days runs a random day of a seed: engines that are ended and started again,
// outages of the platform, and edits of the files among what happens.
func (w *world) day(t *testing.T, seed uint64) {
	w.random, w.plans = rand.New(rand.NewPCG(seed, 5)), map[string]map[int64]*plan{}
	w.starts = map[string]time.Time{}
	files := map[string]string{"redund.yaml": "version: 1\nsystems: {pm2: {concurrency: 1}}\nhealth: {every: 1h}\n"}
	names := []string{"a", "b", "c"}
	fences := []string{"fence: none", "fence: cancel-late", "on-unknown: skip"}
	for i, name := range names {
		files["pipelines/pm2/"+name+".yaml"] = fmt.Sprintf(watchedText, name, fences[i], "as made")
	}
	p := project(t, files)
	kinds := w.kinds()
	began := time.Now()
	for range 1 {
		from := began.Add(time.Duration(w.random.Int64N(int64(5 * time.Hour))))
		w.outage = append(w.outage, [2]time.Time{from, from.Add(time.Duration(w.random.Int64N(int64(40 * time.Minute))))})
	}
	for n := 0; time.Since(began) < 5*time.Hour; n++ {
		p = load(t.Context(), t.Fatalf, p.Root)
		e, end := serveOnly(t, p, kinds)
		for until := time.Now().Add(time.Minute + time.Duration(w.random.Int64N(int64(2*time.Hour)))); time.Now().Before(until); {
			<-time.After(time.Duration(w.random.Int64N(int64(20 * time.Minute)))) // by the clock of the bubble
			// Somebody serves a slot by hand, as far as that is still needed.
			slot := time.Now().Truncate(15 * time.Minute)
			if _, err := e.Trigger(t.Context(), names[w.random.IntN(len(names))], "somebody", engine.RunRequest{Slot: slot}); err != nil && !errors.As(err, new(*history.SlotTaken)) {
				t.Fatal(err)
			}
		}
		if err := end(); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Duration(w.random.ExpFloat64() * float64(8*time.Minute)))
		name := names[w.random.IntN(len(names))]
		text := fmt.Sprintf(watchedText, name, fences[slices.Index(names, name)], fmt.Sprintf("edit %d", n))
		if err := os.WriteFile(p.Root+"/pipelines/pm2/"+name+".yaml", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, end := serveOnly(t, load(t.Context(), t.Fatalf, p.Root), kinds)
	<-time.After(2 * time.Hour) // whatever is open is decided, and has run
	if err := end(); err != nil {
		t.Fatal(err)
	}
	w.judge(t, began, time.Now().Add(-90*time.Minute), p)
}

// judge holds what was done against what may be.
func (w *world) judge(t *testing.T, from, until time.Time, p *config.Project) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	slots, backups := 0, 0
	for _, name := range []string{"a", "b", "c"} {
		for slot := from.Truncate(15 * time.Minute).Add(15 * time.Minute); slot.Before(until); slot = slot.Add(15 * time.Minute) {
			slots++
			x := w.plan(name, slot)
			never := x.never || !x.begins.Before(slot.Add(15*time.Minute)) // then it is another slot's
			delivered := !never && !x.fails && !x.cancelled
			var mine []effect
			for _, e := range w.did {
				if e.pipeline == name && e.slot.Equal(slot) {
					mine = append(mine, e)
				}
			}
			backups += len(mine)
			if len(mine) == 0 && !delivered && !(name == "c" && w.out(slot.Add(5*time.Minute))) {
				t.Errorf("slot %s of %s was missed: %+v", slot.Format("15:04"), name, x)
			}
			if len(mine) > 1 {
				t.Errorf("slot %s of %s was served %d times: %+v", slot.Format("15:04"), name, len(mine), mine)
			}
			for _, e := range mine {
				if e.byHand {
					continue // a person does not wait for the primary
				}
				// When the backup began, what could be seen of the primary had to allow it.
				visible := !never && !e.from.Before(x.begins) && !w.out(e.from)
				stalled := e.from.Sub(x.begins) >= 10*time.Minute && e.from.Before(x.end)
				failed := (x.fails || x.cancelled) && !e.from.Before(x.end)
				if visible && !stalled && !failed {
					t.Errorf("slot %s of %s: the backup began at %s beside its primary %+v", slot.Format("15:04"), name, e.from.Format("15:04:05"), x)
				}
			}
		}
	}
	t.Logf("%d slots, %d served by the backup, %d outages", slots, backups, len(w.outage))
	if backups == 0 || backups == slots {
		t.Errorf("%d of %d slots were served by the backup", backups, slots)
	}
}

// TestRandomDays holds over random days that no slot is missed, that none is
// served twice, and that no backup begins beside a primary that can be seen to
// have come. A seed that fails is printed and can be given again.
func TestRandomDays(t *testing.T) {
	t.Parallel()
	seeds := []uint64{1, 2}
	if one, err := strconv.ParseUint(os.Getenv("REDUNDCTL_SEED"), 10, 64); err == nil {
		seeds = []uint64{one}
	} else if n, err := strconv.ParseUint(os.Getenv("REDUNDCTL_SEEDS"), 10, 64); err == nil {
		for seed := uint64(3); seed <= n; seed++ {
			seeds = append(seeds, seed)
		}
	}
	for _, seed := range seeds {
		t.Run(fmt.Sprint("REDUNDCTL_SEED=", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { new(world).day(t, seed) })
		})
	}
}

package engine_test

import (
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/schedule"
	"github.com/redundctl/redundctl/engine/simulate"
)

// lateness is how late the primary of a pipeline is for a slot: on time, late by
// minutes or by hours, or never there.
func lateness(id string) simulate.Plan {
	return func(slot time.Time) (time.Duration, bool) {
		h := fnv.New64a()
		fmt.Fprint(h, id, slot.Unix())
		r := rand.New(rand.NewPCG(h.Sum64(), 1))
		switch r.IntN(8) {
		case 0:
			return 0, false
		case 1, 2:
			return time.Duration(r.Int64N(int64(3 * time.Hour))), true
		case 3, 4, 5:
			return time.Duration(r.Int64N(int64(25 * time.Minute))), true
		}
		return time.Duration(r.Int64N(int64(time.Minute))), true
	}
}

// done is a step that succeeds at once.
type done struct{}

func (done) Run(context.Context, *pipeline.Scope) (pipeline.Outputs, error) {
	return pipeline.Outputs{}, nil
}

func (done) Plan(context.Context, *pipeline.Scope) ([]pipeline.Effect, error) { return nil, nil }

// delivered reports whether a run of a primary succeeded for a slot, by its log.
func delivered(p *simulate.Primary, slot time.Time) bool {
	for _, e := range p.Log(slot) {
		own := e.Slot.IsZero() && e.Created.Before(slot.Add(30*time.Minute)) || e.Slot.Equal(slot)
		if own && !e.Cancelled {
			return true
		}
	}
	return false
}

// TestSimulatedAsServed holds that a simulation decides what an engine decides:
// both go through the same hours with the same primaries, and each slot ends in
// the same way, for the same reason, at the same instant.
func TestSimulatedAsServed(t *testing.T) {
	t.Parallel()
	const text = "version: 1\nname: %s\nprimary: {file: {path: nowhere}, every: %s%s}\ngrace: %s\n%soverlap: allow\nschedule: {every: 30m}\nsteps: [{exec: [\"true\"]}]\n"
	files := map[string]string{"redund.yaml": "version: 1\nhealth: {every: 1h}\n"}
	for _, x := range [][5]string{
		{"plain", "1m", "", "10m", ""},
		{"seldom", "7m", "", "10m", ""},
		{"fenced", "1m", ", fence: cancel-late", "10m", ""},
		{"fenced-seldom", "7m", ", fence: cancel-late", "4m", ""},
		{"fenced-stalled", "2m", ", fence: cancel-late, stall-after: 5m", "25m", ""},
		{"learned", "1m", "", "auto", ""},
		{"asked", "1m", ", recover: dispatch", "10m", ""},
		{"stalled", "2m", ", stall-after: 5m", "10m", ""},
		{"long", "1m", "", "50m", ""},
		{"since", "1m", "", "50m", "covers: since\n"},
	} {
		files["pipelines/pm2/"+x[0]+".yaml"] = fmt.Sprintf(text, x[0], x[1], x[2], x[3], x[4])
	}
	synctest.Test(t, func(t *testing.T) {
		p := project(t, files)
		// An engine that serves looks for others four times a second, also in a bubble:
		// a day of it takes a quarter of a minute.
		const span, takes = 8 * time.Hour, 9 * time.Minute
		from := time.Now().Truncate(time.Hour).Add(time.Hour)
		end := from.Add(span)
		primaries := map[string]*simulate.Primary{}
		for _, x := range p.Pipelines {
			s, err := schedule.Parse(x.Schedule[0])
			if err != nil {
				t.Fatal(err)
			}
			primaries[x.ID()] = simulate.NewPrimary(simulate.PrimaryOptions{
				Schedules: []*schedule.Schedule{s}, From: from, Plan: lateness(x.ID()), Duration: takes, Now: time.Now,
			})
		}
		set := standIns(func(d kind.PrimaryDeps) pipeline.Probe { return primaries[d.Pipeline.ID()] }, done{})
		<-time.After(time.Until(from) - time.Second) // by the clock of the bubble
		_, stop := serveOnly(t, p, set)
		<-time.After(time.Until(end) + 3*time.Hour)
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		served := map[string]string{}
		for _, r := range runs(t, p) {
			way := "run"
			if r.State == pipeline.Skipped {
				way = "skip"
			}
			line := fmt.Sprint(way, " ", r.Reason, " ", pipeline.Time(r.Queued.Truncate(time.Second)))
			if way == "run" && delivered(primaries[r.System+"/"+r.Pipeline], r.Slot) {
				line += ", doubled"
			}
			served[r.System+"/"+r.Pipeline+" "+pipeline.Time(r.Slot)] = line
		}
		slots, wrong := 0, map[string]int{}
		_, err := simulate.Run(t.Context(), p.Pipelines, simulate.Options{From: from, Days: 1, Duration: takes, Plan: func(id string) simulate.Plan { return lateness(id) }, Settled: func(o simulate.Outcome) {
			if !o.Slot.Before(end) {
				return
			}
			slots++
			key := o.ID + " " + pipeline.Time(o.Slot)
			want := fmt.Sprint(string(o.Act), " ", o.Reason, " ", pipeline.Time(o.Decided.Truncate(time.Second)))
			if o.Doubled() {
				want += ", doubled"
			}
			if got := served[key]; got != want {
				if wrong[o.ID]++; wrong[o.ID] < 4 {
					t.Errorf("%s: simulated %s, served %s", strings.TrimSuffix(key, ":00Z"), want, got)
				}
			}
		}})
		if err != nil || slots < 10*15 {
			t.Errorf("%d slots: %v", slots, err)
		}
		t.Logf("%d slots, %v", slots, wrong)
	})
}

package simulate

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine/failover"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/schedule"
)

var from = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func minutes(n int) pipeline.Duration { return pipeline.Duration(time.Duration(n) * time.Minute) }

// made is one pipeline in standby, with the defaults of the language.
func made(name string, s ...pipeline.Schedule) *pipeline.Pipeline {
	return &pipeline.Pipeline{
		Name: name, System: "pm2", Enabled: true, Mode: pipeline.Standby, Grace: pipeline.Grace{For: minutes(15)},
		Covers: "slot", Schedule: s, Timeout: minutes(60),
		Primary: &pipeline.Primary{Kind: "heartbeat", Every: minutes(1), OnUnknown: "run", Fence: "none", Recover: "none"},
	}
}

func cron(s string) pipeline.Schedule { return pipeline.Schedule{Cron: s} }

// excused reports whether nobody could have kept a slot from being done twice:
// the primary began when the backup had, or had been at it for longer than it
// may, and nothing fences it, or it was over before the next look.
func excused(p *pipeline.Pipeline, o Outcome) bool {
	late := o.Primary.Created.After(o.Backup)
	stalled := o.Backup.Sub(o.Primary.Created) >= o.Policy.StallAfter
	beside := o.Primary.Ended.Sub(o.Backup)
	if late {
		beside = o.Primary.Ended.Sub(o.Primary.Created)
	}
	fenced := p.Primary.Fence == "cancel-late" && o.Primary.Slot.IsZero() && beside > p.Primary.Every.Std()
	return (late || stalled) && !fenced
}

// wrong simulates, and gives what a right engine does not let happen: slots that
// were missed, and those that were doubled for no reason.
func wrong(t *testing.T, list []*pipeline.Pipeline, o Options) (r Result, faults []string) {
	t.Helper()
	of := map[string]*pipeline.Pipeline{}
	for _, p := range list {
		of[p.ID()] = p
	}
	settled := o.Settled
	o.Settled = func(x Outcome) {
		if settled != nil {
			settled(x)
		}
		if x.Missed() || x.Doubled() && !excused(of[x.ID], x) {
			faults = append(faults, fmt.Sprintf("%s %s: %s %s at %s, primary %+v, backup %s", x.ID, pipeline.Time(x.Slot), x.Act, x.Reason, pipeline.Time(x.Decided), x.Primary, pipeline.Time(x.Backup)))
		}
	}
	r, err := Run(t.Context(), list, o)
	if err != nil {
		t.Fatal(err)
	}
	if r.Slots != r.ByPrimary+r.ByBackup+r.Missed {
		t.Errorf("%d slots are not %d by the primary, %d by the backup and %d missed", r.Slots, r.ByPrimary, r.ByBackup, r.Missed)
	}
	if r.Missed > len(faults) {
		faults = append(faults, fmt.Sprintf("%d slots are missed, of which %d were told", r.Missed, len(faults)))
	}
	return r, faults
}

// some are n pipelines of all kinds that the language knows.
func some(r *rand.Rand, n int) []*pipeline.Pipeline {
	zones := []string{"", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"}
	dsts := []pipeline.DST{{Gap: "shift", Fold: "first"}, {Gap: "skip", Fold: "last"}, {Gap: "shift", Fold: "both"}}
	var list []*pipeline.Pipeline
	for i := range n {
		s := pipeline.Schedule{Timezone: zones[r.IntN(len(zones))], DST: dsts[r.IntN(len(dsts))]}
		switch r.IntN(5) {
		case 0:
			s.Every = minutes([]int{15, 40, 60, 100}[r.IntN(4)])
		case 1:
			s.Cron = fmt.Sprintf("%d * * * *", r.IntN(60))
		case 2:
			s.Cron = fmt.Sprintf("%d */6 * * *", r.IntN(60))
		case 3:
			s.Cron = fmt.Sprintf("%d %d * * *", r.IntN(60), r.IntN(4))
		default:
			s.Cron = fmt.Sprintf("%d %d * * 1-5", r.IntN(60), r.IntN(24))
		}
		if r.IntN(4) == 0 {
			s.Jitter = minutes(1 + r.IntN(5))
		}
		p := made(fmt.Sprintf("p-%d", i), s)
		if r.IntN(6) == 0 {
			p.Schedule = append(p.Schedule, cron("30 12 * * *"))
		}
		p.Primary.Every = minutes([]int{1, 1, 2, 4, 7}[r.IntN(5)])
		p.Grace = []pipeline.Grace{{Auto: true}, {For: minutes(15)}, {For: minutes(3)}, {For: minutes(90)}}[r.IntN(4)]
		p.Primary.StallAfter = []pipeline.Duration{0, minutes(10), minutes(120)}[r.IntN(3)]
		p.Primary.Fence = []string{"none", "cancel-late"}[r.IntN(2)]
		if r.IntN(3) == 0 {
			p.Covers = "since"
		}
		if r.IntN(4) == 0 {
			p.Primary.Recover = "dispatch"
		}
		list = append(list, p)
	}
	return list
}

// TestYear holds a year of 500 pipelines.
func TestYear(t *testing.T) {
	t.Parallel()
	list := some(rand.New(rand.NewPCG(1, 1)), 500)
	start := time.Now()
	r, faults := wrong(t, list, Options{From: from, Days: 365, Seed: 1, Loss: 0.05, Lateness: Lateness{5 * time.Minute, 3 * time.Hour}, Duration: 8 * time.Minute})
	t.Logf("%d slots, %d by the backup, %d doubled; in %s", r.Slots, r.ByBackup, r.Doubled, time.Since(start))
	if len(faults) > 0 {
		t.Errorf("%d faults, as %s", len(faults), faults[0])
	}
	if r.Pipelines != 500 || r.Slots < 1_000_000 || r.ByBackup == 0 || r.ByPrimary == 0 || r.Doubled == 0 {
		t.Errorf("this is no year: %+v", r)
	}
}

var seed = flag.Uint64("seed", 0, "the seed of the one random project to simulate; 0: many")

// TestRandom simulates random projects: with each of them nothing is missed,
// nothing is doubled for no reason, every slot of the schedules is decided once,
// and looking only where something may have changed decides the same at the same
// instants as looking at each interval. Options -seed replays one of them.
func TestRandom(t *testing.T) {
	t.Parallel()
	seeds := []uint64{*seed}
	if *seed == 0 {
		seeds = nil
		first := uint64(time.Now().UnixNano())
		for i := range uint64(25) {
			seeds = append(seeds, i+1, first+i)
		}
	}
	for _, x := range seeds {
		random(t, x)
		if t.Failed() {
			t.Fatalf("go test ./engine/simulate -run TestRandom -seed %d shows it again", x)
		}
	}
}

func random(t *testing.T, x uint64) {
	r := rand.New(rand.NewPCG(x, 7))
	list := some(r, 1+r.IntN(12))
	o := Options{
		From: from.AddDate(0, 0, r.IntN(365)).Add(time.Duration(r.IntN(1440)) * time.Minute), Days: 1 + r.IntN(30), Seed: int64(x),
		Loss: []float64{0, 0.05, 0.5, 1}[r.IntN(4)], Duration: time.Duration(8+r.IntN(40)) * time.Minute,
		Lateness: []Lateness{{}, {5 * time.Minute, 3 * time.Hour}, {time.Second, 20 * time.Hour}, {time.Hour, time.Hour}}[r.IntN(4)],
	}
	outcomes := func(o Options, list []*pipeline.Pipeline) (Result, map[string]Outcome) {
		out := map[string]Outcome{}
		o.Settled = func(y Outcome) {
			key := y.ID + " " + pipeline.Time(y.Slot)
			if _, twice := out[key]; twice {
				t.Errorf("%s is settled twice", key)
			}
			out[key] = y
		}
		result, faults := wrong(t, list, o)
		for _, f := range faults[:min(3, len(faults))] {
			t.Errorf("%+v: %s", o.Lateness, f)
		}
		return result, out
	}
	result, quick := outcomes(o, list)
	end := o.From.AddDate(0, 0, o.Days)
	slots := 0
	for _, p := range list {
		var all []*schedule.Schedule
		for _, s := range p.Schedule {
			one, err := schedule.Parse(s)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, one)
		}
		for at, ok := schedule.Next(all, o.From.Add(-1)); ok && at.Before(end); at, ok = schedule.Next(all, at) {
			slots++
			// Whoever waits longest waits for the grace, then for a run that was
			// dispatched, and for one that began at the very end of these.
			y, decided := quick[p.ID()+" "+pipeline.Time(at)]
			if longest := at.Add(24 * time.Hour).Add(3 * 2 * time.Hour); !decided && longest.Before(end) {
				t.Errorf("%s %s was never decided", p.ID(), pipeline.Time(at))
			} else if decided && y.Decided.Before(at) {
				t.Errorf("%s %s was decided before it was due", p.ID(), pipeline.Time(at))
			}
		}
	}
	if result.Slots > slots {
		t.Errorf("%d slots were decided, of %d", result.Slots, slots)
	}
	o.always = true
	r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	same, slow := outcomes(o, list)
	if !reflect.DeepEqual(result, same) {
		t.Errorf("looking at each interval gives %+v, and else %+v", same, result)
	}
	for key, y := range slow {
		if quick[key] != y {
			t.Errorf("looking at each interval: %s is %+v, and else %+v", key, y, quick[key])
			return
		}
	}
}

// TestOracle breaks the decisions in several ways: the log tells of each.
func TestOracle(t *testing.T) {
	t.Parallel()
	type decide = func(failover.Policy, failover.Slot, pipeline.Reading, time.Time) failover.Decision
	run := failover.Decision{Act: failover.Run, Reason: "primary-missing"}
	past := func(p failover.Policy, s failover.Slot, now time.Time) bool { return !now.Before(s.At.Add(p.Grace)) }
	for _, x := range []struct {
		name   string
		blind  bool
		decide decide
		broken bool
	}{
		{"as it is", false, nil, false},
		{"no last look", true, nil, true},
		{"a success after the grace does not count", false, func(p failover.Policy, s failover.Slot, r pipeline.Reading, now time.Time) failover.Decision {
			if r.Verdict == pipeline.Delivered && past(p, s, now) {
				return run
			}
			return failover.Decide(p, s, r, now)
		}, true},
		{"a run that goes on counts for nothing", false, func(p failover.Policy, s failover.Slot, r pipeline.Reading, now time.Time) failover.Decision {
			if r.Verdict == pipeline.UnderWay && past(p, s, now) {
				return run
			}
			return failover.Decide(p, s, r, now)
		}, true},
		{"what is missing is skipped", false, func(p failover.Policy, s failover.Slot, r pipeline.Reading, now time.Time) failover.Decision {
			if d := failover.Decide(p, s, r, now); d.Act != failover.Run {
				return d
			}
			return failover.Decision{Act: failover.Skip, Reason: "primary-unknown"}
		}, true},
		{"what is missing is never decided", false, func(p failover.Policy, s failover.Slot, r pipeline.Reading, now time.Time) failover.Decision {
			if d := failover.Decide(p, s, r, now); d.Act != failover.Run {
				return d
			}
			return failover.Decision{Act: failover.Wait}
		}, true},
		{"every slot runs", false, func(failover.Policy, failover.Slot, pipeline.Reading, time.Time) failover.Decision { return run }, false},
	} {
		list := []*pipeline.Pipeline{made("a", cron("0 * * * *")), made("b", cron("30 2 * * *"))}
		for _, p := range list {
			p.Primary.Every = minutes(7)
		}
		o := Options{From: from, Days: 60, Seed: 1, Loss: 0.1, Lateness: Lateness{5 * time.Minute, time.Hour}, Duration: 10 * time.Minute, Decide: x.decide}
		o.blind = x.blind
		if _, faults := wrong(t, list, o); (len(faults) > 0) != x.broken {
			t.Errorf("%s: %d faults %.300s", x.name, len(faults), faults)
		}
	}
}

// TestScheduler holds that a slot which the scheduler does not give is missed.
func TestScheduler(t *testing.T) {
	t.Parallel()
	o := Options{From: from, Days: 10, Decide: failover.Decide, Plan: func(string) Plan {
		return func(time.Time) (time.Duration, bool) { return 0, true }
	}}
	s := &sim{Options: o, now: from, end: from.AddDate(0, 0, 10)}
	p := made("a", cron("0 3 * * *"))
	if err := s.begin([]*pipeline.Pipeline{p}); err != nil {
		t.Fatal(err)
	}
	s.timer.Set(schedule.Entry{ID: p.ID(), Schedules: s.parts[p.ID()].schedules, After: from.AddDate(0, 0, 2)})
	if err := s.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.finish(); s.result.Slots != 10 || s.result.Missed != 2 {
		t.Errorf("%+v", s.result)
	}
}

// TestEnd holds that slots count which are decided within the days, and that none
// is missed because the days end.
func TestEnd(t *testing.T) {
	t.Parallel()
	var list []*pipeline.Pipeline
	for i := range 30 {
		list = append(list, made(fmt.Sprint(i), pipeline.Schedule{Cron: "58 23 * * *", Jitter: minutes(5)}))
	}
	early := 0
	for _, p := range list {
		s, err := schedule.Parse(p.Schedule[0])
		if err != nil {
			t.Fatal(err)
		}
		if last := from.AddDate(0, 0, 3).Add(-2 * time.Minute); s.Jitter(p.ID(), last) < 2*time.Minute {
			early++
		}
	}
	for _, x := range []struct {
		loss float64
		want int
	}{{0, 60 + early}, {1, 60}} {
		if r, _ := wrong(t, list, Options{From: from, Days: 3, Loss: x.loss}); r.Slots != x.want || r.Missed != 0 {
			t.Errorf("with a loss of %v: %+v, want %d slots", x.loss, r, x.want)
		}
	}
}

// TestSample holds that the newest are kept, in order.
func TestSample(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 1))
	var x sample
	var all []time.Duration
	for range 5 * kept {
		d := time.Duration(r.IntN(50))
		x.add(d)
		all = append(all, d)
		if want := slices.Sorted(slices.Values(all[max(0, len(all)-kept):])); !slices.Equal(x.sorted, want) {
			t.Fatalf("after %d: %v, want %v", len(all), x.sorted, want)
		}
	}
}

// TestLearned compares a grace that is learned with one that is fixed, on what
// people saw of GitHub.
func TestLearned(t *testing.T) {
	t.Parallel()
	f, err := os.Open("testdata/lateness.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, err := ParseSeries(f)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 7 {
		t.Fatalf("there are %d series", len(all))
	}
	fixed, learned := 0, 0
	for _, s := range all {
		var got [2]Result
		for i, g := range []pipeline.Grace{{For: minutes(15)}, {Auto: true}} {
			p := made(s.Name, cron(s.Cron))
			p.Grace = g
			r, faults := wrong(t, []*pipeline.Pipeline{p}, Options{From: from, Days: 365, Duration: 10 * time.Minute, Plan: func(string) Plan { return s.Plan() }})
			if len(faults) > 0 {
				t.Error(faults)
			}
			got[i] = r
		}
		longest, _ := got[1].Delay.Max()
		t.Logf("%s: of %d slots %d doubled with 15m, %d with a learned grace, which took %s at most", s.Name, got[0].Slots, got[0].Doubled, got[1].Doubled, longest)
		if got[1].Doubled > got[0].Doubled {
			t.Errorf("%s: a learned grace doubled %d, a fixed one %d", s.Name, got[1].Doubled, got[0].Doubled)
		}
		if longest > 24*time.Hour+70*time.Minute {
			t.Errorf("%s: %s after the slot", s.Name, longest)
		}
		fixed, learned = fixed+got[0].Doubled, learned+got[1].Doubled
	}
	if learned*4 > fixed {
		t.Errorf("a learned grace doubled %d, a fixed one %d", learned, fixed)
	}
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	shares := 0
	_, err := Run(ctx, []*pipeline.Pipeline{made("a", cron("* * * * *"))}, Options{From: from, Days: 36500, Progress: func(x float64) {
		if shares++; x > 0 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) || shares < 2 || shares > 3 {
		t.Errorf("%v after %d", err, shares)
	}
	if _, err := Run(t.Context(), []*pipeline.Pipeline{made("a", cron("nonsense"))}, Options{From: from, Days: 1}); err == nil {
		t.Error("a schedule that cannot be read was simulated")
	}
	if r, err := Run(t.Context(), nil, Options{From: from, Days: 1}); err != nil || r.Slots != 0 {
		t.Errorf("%+v %v", r, err)
	}
}

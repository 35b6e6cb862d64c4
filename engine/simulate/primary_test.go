package simulate

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/schedule"
)

// Whoever needs a primary that is modelled has one.
var (
	_ pipeline.Probe      = (*Primary)(nil)
	_ pipeline.Dispatcher = (*Primary)(nil)
	_ pipeline.Canceller  = (*Primary)(nil)
)

// TestPrimary looks at a primary of an hourly schedule: on time at 0:00, an hour
// and a half late for 1:00, never there for 2:00, and ten minutes late for 3:00.
func TestPrimary(t *testing.T) {
	t.Parallel()
	s, err := schedule.Parse(cron("0 * * * *"))
	if err != nil {
		t.Fatal(err)
	}
	now := from
	late := map[int]time.Duration{0: 0, 1: 90 * time.Minute, 3: 10 * time.Minute}
	m := NewPrimary(PrimaryOptions{
		Schedules: []*schedule.Schedule{s}, From: from, Until: from.Add(4 * time.Hour), Duration: 5 * time.Minute, Now: func() time.Time { return now },
		Plan: func(slot time.Time) (time.Duration, bool) { d, ok := late[slot.Hour()]; return d, ok },
	})
	at := func(hour, minute int) time.Time {
		return from.Add(time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute)
	}
	window := func(hour int, run string) pipeline.Window {
		return pipeline.Window{Slot: at(hour, 0), Next: at(hour+1, 0), Run: run}
	}
	look := func(when time.Time, w pipeline.Window) pipeline.Reading {
		t.Helper()
		now = when
		r, err := m.Probe(t.Context(), w)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	for _, x := range []struct {
		hour, minute, slot int
		want               pipeline.Verdict
		change             time.Time
	}{
		{0, 0, 0, pipeline.UnderWay, at(0, 5)},
		{0, 5, 0, pipeline.Delivered, time.Time{}},
		{1, 30, 1, pipeline.Nothing, time.Time{}}, // it comes at 2:30, and then it belongs to 2:00
		{2, 0, 2, pipeline.Nothing, at(2, 30)},
		{2, 29, 2, pipeline.Nothing, at(2, 30)},
		{2, 30, 1, pipeline.Nothing, time.Time{}},
		{2, 30, 2, pipeline.UnderWay, at(2, 35)},
		{2, 35, 2, pipeline.Delivered, time.Time{}},
		{2, 35, 1, pipeline.Nothing, time.Time{}},
		{3, 10, 3, pipeline.UnderWay, at(3, 15)},
	} {
		r := look(at(x.hour, x.minute), window(x.slot, ""))
		if r.Verdict != x.want || (r.Verdict != pipeline.Nothing) != r.Scheduled {
			t.Errorf("at %d:%02d the slot of %d:00 is %+v, want %s", x.hour, x.minute, x.slot, r, x.want)
		}
		if c := m.Change(window(x.slot, "")); !c.Equal(x.change) {
			t.Errorf("at %d:%02d the slot of %d:00 changes at %s, want %s", x.hour, x.minute, x.slot, c, x.change)
		}
	}

	// A run that is ended delivers nothing, and is ended once.
	r := look(at(3, 11), window(3, ""))
	if err := m.Cancel(t.Context(), r); err != nil {
		t.Error(err)
	}
	if r := look(at(3, 12), window(3, "")); r.Verdict != pipeline.NotDelivered || !r.Ended.Equal(at(3, 11)) {
		t.Errorf("a run that was cancelled is %+v", r)
	}
	if err := m.Cancel(t.Context(), r); err == nil {
		t.Error("a run that has ended was cancelled")
	}

	// One that was asked for shows to who knows its id alone, also after the next slot.
	now = at(3, 59)
	asked, err := m.Dispatch(t.Context(), window(1, ""))
	if err != nil || asked.Run == "" || asked.Scheduled {
		t.Fatalf("%+v %v", asked, err)
	}
	if c := m.Change(window(1, asked.Run)); !c.Equal(at(4, 4)) {
		t.Errorf("it changes at %s", c)
	}
	if r := look(at(4, 4), window(1, asked.Run)); r.Verdict != pipeline.Delivered || r.Run != asked.Run {
		t.Errorf("a run that was asked for is %+v", r)
	}
	if r := look(at(4, 4), window(3, "")); r.Verdict != pipeline.NotDelivered {
		t.Errorf("a run that was asked for another slot: %+v", r)
	}
	m.Backup(at(2, 0))

	var log []string
	for _, e := range m.Log(from) {
		who := "primary"
		if e.Run == "" {
			who = "backup"
		}
		log = append(log, who+" "+e.Created.Format("15:04")+"-"+e.Ended.Format("15:04"))
	}
	if want := []string{"primary 00:00-00:05", "primary 02:30-02:35", "primary 03:10-03:11", "primary 03:59-04:04", "backup 04:04-04:04"}; !slices.Equal(log, want) {
		t.Errorf("%q", log)
	}
	if m.Slots() != 4 {
		t.Errorf("there were %d slots", m.Slots())
	}
}

func TestParseLateness(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Lateness{
		"p50=0s,p99=0s": {}, "p50=5m,p99=3h": {5 * time.Minute, 3 * time.Hour}, "p99=1h, p50=1h": {time.Hour, time.Hour}, "p50=0,p99=0": {}, "p50=0s": {},
		"p50=1h,p99=1d": {time.Hour, 24 * time.Hour},
	} {
		if got, err := ParseLateness(text); err != nil || got != want {
			t.Errorf("%q: %+v %v", text, got, err)
		}
	}
	for text, want := range map[string]string{
		"": "form", "5m": "form", "p50=5m,p90=1h": "form", "p50=5m;p99=1h": "not a length", "p50=x": "not a length", "p50=-1s,p99=1s": "not a length",
		"p50=1m,p50=2m": "twice", "p50=0s,p99=3h": "give p50 a value", "p99=3h": "give p50 a value", "p50=5m": "less than", "p50=5m,p99=1m": "less than",
	} {
		if _, err := ParseLateness(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// TestLateness draws many: half are below p50, one in a hundred above p99, and
// so many are lost.
func TestLateness(t *testing.T) {
	t.Parallel()
	l := Lateness{P50: 5 * time.Minute, P99: 3 * time.Hour}
	const n = 100_000
	draw := func(seed int64, id string) (below, above, lost int, sum time.Duration) {
		plan := l.plan(seed, id, 0.05)
		for i := range n {
			late, ok := plan(from.Add(time.Duration(i) * time.Hour))
			switch {
			case !ok:
				lost++
				continue
			case late < l.P50:
				below++
			case late > l.P99:
				above++
			}
			sum += late
		}
		return below, above, lost, sum
	}
	below, above, lost, sum := draw(1, "pm2/a")
	for what, x := range map[string][2]float64{
		"lost": {float64(lost) / n, 0.05}, "below p50": {float64(below) / float64(n-lost), 0.5}, "above p99": {float64(above) / float64(n-lost), 0.01},
	} {
		if got, want := x[0], x[1]; math.Abs(got-want) > 4*math.Sqrt(want*(1-want)/n) {
			t.Errorf("%s: %.4f, want %.4f", what, got, want)
		}
	}
	if _, _, _, again := draw(1, "pm2/a"); again != sum {
		t.Error("the same seed gives something else")
	}
	if _, _, _, other := draw(2, "pm2/a"); other == sum {
		t.Error("another seed gives the same")
	}
	if _, _, _, other := draw(1, "pm2/b"); other == sum {
		t.Error("another pipeline is late by the same")
	}
	if late, ok := (Lateness{time.Hour, time.Hour}).plan(1, "a", 0)(from); !ok || late != time.Hour {
		t.Errorf("always an hour late: %s %v", late, ok)
	}
	if _, ok := l.plan(1, "a", 1)(from); ok {
		t.Error("a primary that never runs ran")
	}
	if late, ok := (Lateness{time.Hour, 1e6 * time.Hour}).plan(1, "a", 0)(from); !ok || late < 0 || late > longest {
		t.Errorf("a tail without end: %s", late)
	}
}

func TestParseSeries(t *testing.T) {
	t.Parallel()
	got, err := ParseSeries(strings.NewReader("# who\nseries a 0 3 * * *\n5m lost # why\n\n1h\nseries b 0 4 * * *\n1s\n"))
	if err != nil || len(got) != 2 || got[0].Cron != "0 3 * * *" || !slices.Equal(got[0].Late, []time.Duration{5 * time.Minute, -1, time.Hour}) {
		t.Errorf("%+v %v", got, err)
	}
	for _, text := range []string{"5m", "series a 0 3 * * *", "series a 0 3 * * *\nsoon"} {
		if _, err := ParseSeries(strings.NewReader(text)); err == nil {
			t.Errorf("%q was read", text)
		}
	}
}

func TestDelays(t *testing.T) {
	t.Parallel()
	var d, e Delays
	if _, ok := d.P(50); ok {
		t.Error("there is a median of nothing")
	}
	if _, ok := d.Max(); ok {
		t.Error("there is a maximum of nothing")
	}
	for i := range 100_000 {
		x := &d
		if i%2 == 0 {
			x = &e
		}
		x.add(time.Duration(i) * time.Second)
	}
	d.merge(e)
	for percent, want := range map[int]float64{1: 1000, 50: 50_000, 99: 99_000, 100: 99_999} {
		if got, ok := d.P(percent); !ok || math.Abs(got.Seconds()-want) > want/1000+1 {
			t.Errorf("p%d: %s", percent, got)
		}
	}
	if got, _ := d.Max(); got != 99_999*time.Second {
		t.Errorf("max: %s", got)
	}
	var same Delays
	for range 1000 {
		same.add(5*time.Minute + 1234*time.Millisecond)
	}
	if got, _ := same.P(50); got != 5*time.Minute+1234*time.Millisecond {
		t.Errorf("the median of what is all the same: %s", got)
	}
}

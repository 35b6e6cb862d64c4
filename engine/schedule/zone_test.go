package schedule

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	robfig "github.com/robfig/cron/v3"

	"github.com/redundctl/redundctl/engine/pipeline"
)

// years are zones in a year in which something happens to their clocks.
var years = []struct {
	zone string
	year int
}{
	{"UTC", 2024}, {"Europe/Berlin", 2026}, {"America/New_York", 2024}, {"Australia/Lord_Howe", 2025}, {"America/Sao_Paulo", 2018},
	{"Africa/Cairo", 2024}, {"Pacific/Apia", 2011}, {"Asia/Kathmandu", 2025}, {"Europe/London", 2027}, {"Africa/Casablanca", 2025},
	{"Asia/Gaza", 2024}, {"America/Caracas", 2016}, {"Europe/Berlin", 2060},
}

// calendar is a year of one zone, minute by minute: the instants at which the
// wall shows each time, and where a time that was left out moves to.
type calendar struct {
	loc      *time.Location
	from, to int64 // wall, in minutes
	shown    [][]int64
	moved    []int64
}

func newCalendar(t *testing.T, name string, year int) *calendar {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	c := &calendar{loc: loc, from: time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC).Unix() / 60, to: time.Date(year+1, 1, 1, 0, 0, 0, 0, time.UTC).Unix() / 60}
	c.shown, c.moved = make([][]int64, c.to-c.from), make([]int64, c.to-c.from)
	last := int64(-1)
	for at := (c.from - 2*1440) * 60; at < (c.to+2*1440)*60; at += 60 {
		_, o := time.Unix(at, 0).In(loc).Zone()
		w := (at+int64(o))/60 - c.from
		for skipped := last + 1; last >= 0 && skipped < w && skipped < int64(len(c.moved)); skipped++ {
			c.moved[skipped] = at
		}
		if w >= 0 && w < int64(len(c.shown)) {
			c.shown[w] = append(c.shown[w], at)
		}
		last = w
	}
	return c
}

// slots is the rule of the language, said once more in the plainest way.
func (c *calendar) slots(matches []int64, everyHour bool, dst pipeline.DST) []int64 {
	var out []int64
	for _, w := range matches {
		switch at := c.shown[w]; {
		case len(at) == 0 && !everyHour && dst.Gap == "shift":
			out = append(out, c.moved[w])
		case len(at) > 1 && !everyHour && dst.Fold == "first":
			out = append(out, at[0])
		case len(at) > 1 && !everyHour && dst.Fold == "last":
			out = append(out, at[len(at)-1])
		default:
			out = append(out, at...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// matches lists the wall minutes of the year at which an expression is due,
// by robfig's reading of the fields and our rule of days.
func (c *calendar) matches(t *testing.T, expr string) []int64 {
	t.Helper()
	parsed, err := robfig.NewParser(robfig.Minute | robfig.Hour | robfig.Dom | robfig.Month | robfig.Dow).Parse(expr)
	if err != nil {
		t.Fatalf("%s: %v", expr, err)
	}
	spec, fields := parsed.(*robfig.SpecSchedule), strings.Fields(expr)
	both := fields[2][0] == '*' || fields[4][0] == '*'
	var out []int64
	for w := c.from; w < c.to; w++ {
		at := time.Unix(w*60, 0).UTC()
		if spec.Minute>>at.Minute()&1 == 0 || spec.Hour>>at.Hour()&1 == 0 {
			continue
		}
		dom, dow := spec.Dom>>at.Day()&1 == 1, spec.Dow>>int(at.Weekday())&1 == 1
		if spec.Month>>int(at.Month())&1 == 1 && (both && dom && dow || !both && (dom || dow)) {
			out = append(out, w-c.from)
		}
	}
	return out
}

// randomField writes one field in one of the forms that every cron knows.
func randomField(r *rand.Rand, low, high int, star float64) string {
	if r.Float64() < star {
		return "*"
	}
	value := func() int { return low + r.IntN(high-low+1) }
	switch r.IntN(5) {
	case 0:
		return fmt.Sprintf("*/%d", 1+r.IntN(high-low+1))
	case 1:
		a, b := value(), value()
		return fmt.Sprintf("%d-%d", min(a, b), max(a, b))
	case 2:
		a, b := value(), value()
		return fmt.Sprintf("%d-%d/%d", min(a, b), max(a, b), 1+r.IntN(5))
	case 3:
		return fmt.Sprintf("%d,%d", value(), value())
	}
	return fmt.Sprint(value())
}

func randomExpr(r *rand.Rand) string {
	hour := randomField(r, 0, 23, 0.2)
	if r.IntN(2) == 0 {
		hour = randomField(r, 0, 3, 0) // where clocks change
	}
	return strings.Join([]string{randomField(r, 0, 59, 0.1), hour, randomField(r, 1, 31, 0.6), randomField(r, 1, 12, 0.7), randomField(r, 0, 6, 0.6)}, " ")
}

func TestNextAgainstCalendar(t *testing.T) {
	t.Parallel()
	exprs := 6
	if testing.Short() {
		exprs = 2
	}
	for i, y := range years {
		t.Run(fmt.Sprintf("%s %d", y.zone, y.year), func(t *testing.T) {
			t.Parallel()
			c := newCalendar(t, y.zone, y.year)
			r := rand.New(rand.NewPCG(uint64(i), 7))
			list := []string{"30 2 * * *", "0 0 * * *", "* 0-3 * * *", "*/15 * * * *", "15 2 * * *", "*/30 0-3 * * *", "0 12 30 12 *", "30 * * * *"}
			for range exprs {
				list = append(list, randomExpr(r))
			}
			for _, expr := range list {
				c.compare(t, expr)
			}
		})
	}
}

func (c *calendar) compare(t *testing.T, expr string) {
	t.Helper()
	matches := c.matches(t, expr)
	hour := strings.Fields(expr)[1]
	for _, gap := range []string{"shift", "skip"} {
		for _, fold := range []string{"first", "last", "both"} {
			dst := pipeline.DST{Gap: gap, Fold: fold}
			want := c.slots(matches, hour == "*" || hour == "*/1", dst)
			s, err := Parse(pipeline.Schedule{Cron: expr, Timezone: c.loc.String(), DST: dst})
			if err != nil {
				var never *Error
				if len(want) == 0 && asError(err, &never) && never.Rule == RuleNever {
					continue
				}
				t.Fatalf("%s: %v", expr, err)
			}
			at := time.Date(time.Unix(c.from*60, 0).UTC().Year(), 1, 1, 0, 0, 0, 0, c.loc).Add(-time.Second)
			end := time.Date(time.Unix(c.to*60, 0).UTC().Year(), 1, 1, 0, 0, 0, 0, c.loc)
			for n := 0; ; n++ {
				next, ok := s.Next(at)
				if !ok || !next.Before(end) {
					if n != len(want) {
						t.Fatalf("%s in %s, %v: %d slots, want %d; the next is %s", expr, c.loc, dst, n, len(want), time.Unix(want[n], 0).In(c.loc))
					}
					break
				}
				if n >= len(want) || next.Unix() != want[n] {
					t.Fatalf("%s in %s, %v: slot %d after %s is %s, want %s", expr, c.loc, dst, n, at, next, time.Unix(want[min(n, len(want)-1)], 0).In(c.loc))
				}
				at = next
			}
		}
	}
}

// TestGapAndFold shows the rules of the language by example.
func TestGapAndFold(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ cron, zone, gap, fold, after, want string }{
		{"30 2 * * *", "Europe/Berlin", "shift", "first", "2026-03-28T12:00:00+01:00", "2026-03-29T03:00:00+02:00 2026-03-30T02:30:00+02:00"},
		{"30 2 * * *", "Europe/Berlin", "skip", "first", "2026-03-28T12:00:00+01:00", "2026-03-30T02:30:00+02:00"},
		{"0,30 2,3 * * *", "Europe/Berlin", "shift", "first", "2026-03-28T12:00:00+01:00", "2026-03-29T03:00:00+02:00 2026-03-29T03:30:00+02:00 2026-03-30T02:00:00+02:00"},
		{"30 2 * * *", "Europe/Berlin", "shift", "first", "2026-10-24T12:00:00+02:00", "2026-10-25T02:30:00+02:00 2026-10-26T02:30:00+01:00"},
		{"30 2 * * *", "Europe/Berlin", "shift", "last", "2026-10-24T12:00:00+02:00", "2026-10-25T02:30:00+01:00 2026-10-26T02:30:00+01:00"},
		{"30 2 * * *", "Europe/Berlin", "shift", "both", "2026-10-24T12:00:00+02:00", "2026-10-25T02:30:00+02:00 2026-10-25T02:30:00+01:00 2026-10-26T02:30:00+01:00"},
		{"30 * * * *", "Europe/Berlin", "shift", "first", "2026-10-25T01:00:00+02:00", "2026-10-25T01:30:00+02:00 2026-10-25T02:30:00+02:00 2026-10-25T02:30:00+01:00 2026-10-25T03:30:00+01:00"},
		{"30 * * * *", "Europe/Berlin", "shift", "first", "2026-03-29T01:00:00+01:00", "2026-03-29T01:30:00+01:00 2026-03-29T03:30:00+02:00"},
		{"0 12 30 12 *", "Pacific/Apia", "shift", "first", "2011-12-29T00:00:00-10:00", "2011-12-31T00:00:00+14:00"},
		{"0 0 * * *", "America/Sao_Paulo", "shift", "first", "2018-11-03T12:00:00-03:00", "2018-11-04T01:00:00-02:00 2018-11-05T00:00:00-02:00"},
		{"0 0 29 2 1", "UTC", "shift", "first", "2096-03-01T00:00:00Z", "2097-02-04T00:00:00Z"},
		{"0 0 29 2 */7", "UTC", "shift", "first", "2088-03-01T00:00:00Z", "2128-02-29T00:00:00Z"},
	} {
		s, err := Parse(pipeline.Schedule{Cron: c.cron, Timezone: c.zone, DST: pipeline.DST{Gap: c.gap, Fold: c.fold}})
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse(time.RFC3339, c.after)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for range strings.Fields(c.want) {
			next, ok := s.Next(at)
			if !ok {
				break
			}
			at, got = next, append(got, next.Format(time.RFC3339))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s in %s gap %s fold %s after %s:\n got %s\nwant %s", c.cron, c.zone, c.gap, c.fold, c.after, strings.Join(got, " "), c.want)
		}
	}
}

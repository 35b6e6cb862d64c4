package schedule

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/adhocore/gronx"
	robfig "github.com/robfig/cron/v3"

	"github.com/redundctl/redundctl/engine/pipeline"
)

func asError(err error, to **Error) bool { return errors.As(err, to) }

func parse(t testing.TB, expr string) *Schedule {
	t.Helper()
	s, err := Parse(pipeline.Schedule{Cron: expr})
	if err != nil {
		t.Fatalf("%q: %v", expr, err)
	}
	return s
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ expr, rule, at, message, hint string }{
		{"", RuleSyntax, "", "empty", "five fields"},
		{"* * * *", RuleSyntax, "*", "this one has 4", "five fields"},
		{"* * * * * * * *", RuleSyntax, "*", "this one has 8", ""},
		{"0 0 1 1 * 2030", RuleSyntax, "2030", "years", ""},
		{"0 0 0 1 1 * 2030", RuleSyntax, "2030", "years", ""},
		{"60 * * * *", RuleRange, "60", "minute 60 is out of range", "0 to 59"},
		{"* 24 * * *", RuleRange, "24", "hour 24", "an hour is 0 to 23"},
		{"* * 0 * *", RuleRange, "0", "day of month 0", "1 to 31"},
		{"* * 0/2 * *", RuleRange, "0", "day of month 0", ""},
		{"* * * 13 *", RuleRange, "13", "month 13", ""},
		{"* * * * 8", RuleRange, "8", "day of week 8", ""},
		{"0 0 * * 1,9", RuleRange, "9", "day of week 9", ""},
		{"*,JUNK * * * *", RuleSyntax, "*", "a star cannot stand inside a list", ""},
		{"1,* * * * *", RuleSyntax, "*", "a star cannot stand inside a list", ""},
		{"*/5,3 * * * *", RuleSyntax, "*/5", "a star cannot stand inside a list", ""},
		{"90/5 * * * *", RuleRange, "90", "minute 90", ""},
		{"5-10-20 * * * *", RuleSyntax, "5-10-20", "more than one range", ""},
		{"*/5/2 * * * *", RuleSyntax, "*/5/2", "more than one step", ""},
		{"*/0 * * * *", RuleRange, "0", "step 0", ""},
		{"*/90 * * * *", RuleRange, "90", "step 90", "every"},
		{"* * 15W * *", RuleSyntax, "15W", "not supported", "numbers"},
		{"* * L * *", RuleSyntax, "L", "not supported", ""},
		{"* * LW * *", RuleSyntax, "LW", "not supported", ""},
		{"* * L-3 * *", RuleSyntax, "L-3", "not supported", ""},
		{"* * * * 5L", RuleSyntax, "5L", "not supported", ""},
		{"* * * * FRI#2", RuleSyntax, "FRI#2", "not supported", ""},
		{"* 22-2 * * *", RuleRange, "22-2", "ends before it begins", "22-23,0-2"},
		{"* * * * FRI-MON", RuleRange, "FRI-MON", "ends before it begins", "FRI-6,0-MON"},
		{"0 JAN * * *", RuleSyntax, "JAN", "not an hour", "month"},
		{"SUN * * * *", RuleSyntax, "SUN", "not a minute", ""},
		{"* * * * MONDAY", RuleSyntax, "MONDAY", "not a day of week", "three letters: MON"},
		{"* * * JAN-FOO *", RuleSyntax, "FOO", "not a month", "JAN FEB"},
		{"?/5 * * * *", RuleSyntax, "?/5", "no step", "*/5"},
		{"+5 * * * *", RuleSyntax, "+5", "not a minute", ""},
		{"5, * * * *", RuleSyntax, "", "not a minute", "missing"},
		{"-5 * * * *", RuleSyntax, "", "not a minute", "missing"},
		{"@every 5m", RuleSyntax, "@every 5m", "@every", "every: 5m"},
		{"@reboot", RuleSyntax, "@reboot", "names no time", "service"},
		{"@dayly", RuleSyntax, "@dayly", "@dayly is not known", "@daily"},
		{"@daily 5", RuleSyntax, "5", "nothing may follow", ""},
		{"TZ=UTC 0 0 * * *", RuleSyntax, "TZ=UTC", "time zone", "timezone"},
		{"CRON_TZ=UTC 0 0 * * *", RuleSyntax, "CRON_TZ=UTC", "time zone", ""},
		{"0 0 30 2 *", RuleNever, "30 2", "never fires", ""},
		{"0 0 31 2,4,6 *", RuleNever, "31 2,4,6", "never fires", ""},
		{"0 0 31 4 */2", RuleNever, "31 4", "never fires", ""},
		{"0\u00a00 * * *", RuleSyntax, "*", "this one has 4", ""},
	} {
		_, err := Parse(pipeline.Schedule{Cron: c.expr})
		var e *Error
		if !asError(err, &e) {
			t.Errorf("%q is accepted", c.expr)
			continue
		}
		at := ""
		if e.Offset+e.Width <= len(c.expr) {
			at = c.expr[e.Offset : e.Offset+e.Width]
		}
		if e.Field != "cron" || e.Rule != c.rule || c.at != "" && at != c.at || !strings.Contains(e.Message, c.message) || !strings.Contains(e.Hint, c.hint) {
			t.Errorf("%q: %s at %q: %s: %s", c.expr, e.Rule, at, e.Message, e.Hint)
		}
	}
}

func TestParseAccepts(t *testing.T) {
	t.Parallel()
	from := time.Date(2026, 11, 24, 8, 20, 30, 0, time.UTC) // a Tuesday
	for expr, want := range map[string]string{
		"*/5 * * * *": "2026-11-24T08:25:00Z", "0 */12 * * *": "2026-11-24T12:00:00Z", "*/10 * * * * *": "2026-11-24T08:20:40Z",
		"@hourly": "2026-11-24T09:00:00Z", "@Daily": "2026-11-25T00:00:00Z", "@midnight": "2026-11-25T00:00:00Z", "@yearly": "2027-01-01T00:00:00Z",
		"@everysecond": "2026-11-24T08:20:31Z", "\t0 9 * * 1-5\n": "2026-11-24T09:00:00Z", "0 0 * * 7": "2026-11-29T00:00:00Z",
		"0 0 * * 5-7": "2026-11-27T00:00:00Z", "0 0 * * 7-2": "2026-11-29T00:00:00Z", "0 0 * jan sun": "2027-01-03T00:00:00Z",
		"5/20 * * * *": "2026-11-24T08:25:00Z", "? ? ? ? ?": "2026-11-24T08:21:00Z", "0 0 13 * 5": "2026-11-27T00:00:00Z",
		"0 0 */2 * 5": "2026-11-27T00:00:00Z", "*/60 * * * *": "2026-11-24T09:00:00Z", "0 0 30 2 5": "2027-02-05T00:00:00Z",
		"05 08 1 1 *": "2027-01-01T08:05:00Z", "0 0 * MAR-MAY MON,fri": "2027-03-01T00:00:00Z",
	} {
		got, ok := parse(t, expr).Next(from)
		if !ok || got.Format(time.RFC3339Nano) != want {
			t.Errorf("%q: %s, want %s", expr, got.Format(time.RFC3339Nano), want)
		}
	}
}

// TestAgainstOthers compares with gronx and robfig where each is right: gronx
// asks for both days where a field begins with */, as we do, but not where a
// list does; robfig asks for either.
func TestAgainstOthers(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	parser := robfig.NewParser(robfig.SecondOptional | robfig.Minute | robfig.Hour | robfig.Dom | robfig.Month | robfig.Dow)
	for range 3000 {
		expr := randomExpr(r)
		if r.IntN(3) == 0 {
			expr = randomField(r, 0, 59, 0.2) + " " + expr
		}
		s, err := Parse(pipeline.Schedule{Cron: expr})
		at := time.Unix(r.Int64N(4e9), r.Int64N(1e9)).UTC()
		want, werr := gronx.NextTickAfter(expr, at, false)
		if err != nil {
			var e *Error
			if !asError(err, &e) || e.Rule != RuleNever || werr == nil {
				t.Fatalf("%s: %v; gronx: %v", expr, err, werr)
			}
			continue
		}
		if !gronx.New().IsValid(expr) {
			t.Fatalf("%s is not valid for gronx", expr)
		}
		got, ok := s.Next(at)
		if fields := strings.Fields(expr); !ok || werr != nil {
			if ok != (werr == nil) {
				t.Fatalf("%s after %s: %v %v; gronx: %v", expr, at, got, ok, werr)
			}
		} else if dom, dow := fields[len(fields)-3], fields[len(fields)-1]; !got.Equal(want.Truncate(time.Second)) {
			t.Fatalf("%s after %s (%s, %s): %s, gronx %s", expr, at, dom, dow, got, want)
		}
		fields := strings.Fields(expr)
		if dom, dow := fields[len(fields)-3], fields[len(fields)-1]; strings.HasPrefix(dom, "*/") && dow != "*" || strings.HasPrefix(dow, "*/") && dom != "*" {
			continue
		}
		other, err := parser.Parse(expr)
		if err != nil {
			t.Fatalf("robfig: %s: %v", expr, err)
		}
		if want := other.Next(at); !want.IsZero() && !got.Equal(want) {
			t.Fatalf("%s after %s: %s, robfig %s", expr, at, got, want)
		}
	}
}

func TestEvery(t *testing.T) {
	t.Parallel()
	s, err := Parse(pipeline.Schedule{Every: pipeline.Duration(15 * time.Minute), Timezone: "Asia/Kathmandu"})
	if err != nil {
		t.Fatal(err)
	}
	for after, want := range map[int64]int64{0: 900, 899: 900, 900: 1800, -1: 0, -900: 0, -901: -900} {
		if got, _ := s.Next(time.Unix(after, 0)); got.Unix() != want {
			t.Errorf("after %d: %d, want %d", after, got.Unix(), want)
		}
	}
	got, _ := s.Next(time.Unix(899, 999))
	if got.Format(time.RFC3339) != "1970-01-01T05:45:00+05:30" {
		t.Errorf("the slot is given as %s", got.Format(time.RFC3339))
	}
	for _, bad := range []pipeline.Schedule{{Every: pipeline.Duration(time.Millisecond)}, {Every: pipeline.Duration(1500 * time.Millisecond)}, {Cron: "@daily", Every: 60e9}} {
		if _, err := Parse(bad); err == nil {
			t.Errorf("%+v is accepted", bad)
		}
	}
}

func TestD20Timezone(t *testing.T) {
	t.Parallel()
	z := &Zones{}
	for name, hint := range map[string]string{"Berlin": "Europe/Berlin", "europe/berlin": "Europe/Berlin", "new york": "America/New_York", "Mars/Olympus": "IANA", "Local": "IANA", "../etc/passwd": "IANA", " ": "IANA"} {
		for range 2 { // the second time from memory
			_, err := z.Parse(pipeline.Schedule{Cron: "@daily", Timezone: name})
			var e *Error
			if !asError(err, &e) || e.Rule != RuleTimezone || e.Field != "timezone" || e.Width != len(name) || !strings.Contains(e.Hint, hint) {
				t.Errorf("%q: %v", name, err)
			}
		}
	}
	for _, name := range strings.Fields(cities) {
		if _, err := z.Parse(pipeline.Schedule{Cron: "@daily", Timezone: name}); err != nil {
			t.Errorf("a hint names %s: %v", name, err)
		}
	}
}

func TestSeveralAndPeriod(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 24, 8, 20, 0, 0, time.UTC)
	list := []*Schedule{parse(t, "0 12 * * *"), parse(t, "0 9 * * *")}
	if got, ok := Next(list, at); !ok || got.Hour() != 9 {
		t.Errorf("the earlier of two is %v", got)
	}
	if _, ok := Next(nil, at); ok {
		t.Error("no schedule has a slot")
	}
	if p := list[0].Period(at); p != 24*time.Hour {
		t.Errorf("the period of a daily schedule is %s", p)
	}
	if list[0].Location() != time.UTC {
		t.Error("the default zone is UTC")
	}
}

// TestShortest holds that it does not depend on when it is asked for: what is
// imported at night is what would be by day.
func TestShortest(t *testing.T) {
	t.Parallel()
	for cron, want := range map[string]time.Duration{
		"*/20 2 * * *": 20 * time.Minute, "0 4 * * 1": 7 * 24 * time.Hour, "0 12 * * *": 24 * time.Hour, "*/5 * * * *": 5 * time.Minute,
		"0 9,10 1 1 *": time.Hour, "0 0 29 2 *": 1461 * 24 * time.Hour,
	} {
		s := parse(t, cron)
		for hour := range 24 {
			at := time.Date(2026, 12, 1, hour, 50, 0, 0, time.UTC)
			if got := s.Shortest(at); got != want {
				t.Errorf("%s at %d:50: %s, want %s", cron, hour, got, want)
			}
		}
	}
}

func TestJitter(t *testing.T) {
	t.Parallel()
	s, err := Parse(pipeline.Schedule{Cron: "@hourly", Jitter: pipeline.Duration(30 * time.Second)})
	if err != nil {
		t.Fatal(err)
	}
	slot := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	if d := s.Jitter("pm2/git-sync", slot); d != s.Jitter("pm2/git-sync", slot.In(time.FixedZone("x", 3600))) {
		t.Error("the jitter depends on the zone in which the slot is given")
	}
	if got := parse(t, "@hourly").Jitter("a/b", slot); got != 0 {
		t.Errorf("without jitter: %s", got)
	}
	var buckets [6]int
	for i := range 6000 {
		d := s.Jitter("pm2/git-sync", slot.Add(time.Duration(i)*time.Hour))
		if d < 0 || d > 30*time.Second {
			t.Fatalf("jitter %s", d)
		}
		buckets[min(int(d/(5*time.Second)), 5)]++
	}
	for _, n := range buckets {
		if n < 850 || n > 1150 {
			t.Errorf("the jitter is not spread evenly: %v", buckets)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"*/5 * * * *", "@daily", "@every 5m", "0 0 30 2 *", "1,2-3/4 * ? jan-DEC sun", "* * * * FRI#2", "0 0 1 1 * 2030", "7-2 ,, -- //", "TZ=x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := Parse(pipeline.Schedule{Cron: s})
		var e *Error
		if err != nil {
			if !asError(err, &e) || e.Offset < 0 || e.Width < 1 || e.Offset > len(s) || e.Message == "" || e.Rule == "" {
				t.Fatalf("%q: %#v", s, err)
			}
			return
		}
		at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		if next, ok := got.Next(at); !ok || !next.After(at) {
			t.Fatalf("%q: next %v %v", s, next, ok)
		}
	})
}

func FuzzNext(f *testing.F) {
	f.Add("30 2 * * *", "Europe/Berlin", int64(1774746000), uint8(0))
	f.Add("0 0 29 2 */7", "Pacific/Apia", int64(1325203200), uint8(3))
	f.Add("* * * * * *", "Australia/Lord_Howe", int64(-1), uint8(5))
	f.Fuzz(func(t *testing.T, expr, zone string, at int64, policy uint8) {
		dst := pipeline.DST{Gap: []string{"shift", "skip"}[policy%2], Fold: []string{"first", "last", "both"}[policy/2%3]}
		s, err := Parse(pipeline.Schedule{Cron: expr, Timezone: zone, DST: dst})
		if err != nil || at > 1<<40 || at < -1<<40 {
			return
		}
		from := time.Unix(at, 0)
		next, ok := s.Next(from)
		if !ok {
			return
		}
		if !next.After(from) {
			t.Fatalf("%q in %q: %s is not after %s", expr, zone, next, from)
		}
		// Asked from a moment between, the answer is the same.
		if again, ok := s.Next(next.Add(-time.Second)); !ok || !again.Equal(next) {
			t.Fatalf("%q in %q: %s, asked a second before %s", expr, zone, next, again)
		}
	})
}

func BenchmarkNext(b *testing.B) {
	for _, c := range []struct{ expr, zone string }{{"*/5 * * * *", "Europe/Berlin"}, {"30 9 * * 1-5", "America/New_York"}, {"59 23 31 12 *", "UTC"}, {"0 0 29 2 */7", "UTC"}} {
		b.Run(c.expr, func(b *testing.B) {
			s, err := Parse(pipeline.Schedule{Cron: c.expr, Timezone: c.zone})
			if err != nil {
				b.Fatal(err)
			}
			at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			for b.Loop() {
				next, ok := s.Next(at)
				if at = next; !ok {
					at = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
				}
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	z := &Zones{}
	for b.Loop() {
		if _, err := z.Parse(pipeline.Schedule{Cron: "30 9 * * MON-FRI", Timezone: "Europe/Berlin"}); err != nil {
			b.Fatal(err)
		}
	}
}

// TestLast holds that the newest slot up to a time is the one whose next is the
// first after it.
func TestLast(t *testing.T) {
	t.Parallel()
	for _, x := range []pipeline.Schedule{
		{Cron: "0 3 * * *", Timezone: "Europe/Berlin"}, {Cron: "*/5 * * * *", Timezone: "UTC"}, {Cron: "0 0 29 2 *", Timezone: "UTC"},
		{Every: pipeline.Duration(15 * time.Minute)}, {Cron: "30 2 * * *", Timezone: "America/New_York"}, {Cron: "*/10 * * * * *", Timezone: "UTC"},
	} {
		s, err := Parse(x)
		if err != nil {
			t.Fatal(err)
		}
		list := []*Schedule{s}
		for at := time.Date(2026, 3, 27, 0, 0, 0, 0, time.UTC); at.Before(time.Date(2026, 3, 31, 0, 0, 0, 0, time.UTC)); at = at.Add(47*time.Minute + 500*time.Millisecond) {
			last, ok := Last(list, at)
			next, _ := Next(list, at)
			if after, _ := Next(list, last); !ok || last.After(at) || !after.Equal(next) {
				t.Fatalf("%+v: %s is the last before %s, and %s the next", x, last, at, next)
			}
			if same, _ := Last(list, next); !same.Equal(next) {
				t.Fatalf("%+v: %s is no slot of its own", x, next)
			}
		}
	}
	s, _ := Parse(pipeline.Schedule{Cron: "0 0 29 2 *", Timezone: "UTC"})
	if last, ok := Last([]*Schedule{s}, time.Date(2023, 1, 1, 0, 0, 0, 0, time.UTC)); !ok || last.Year() != 2020 {
		t.Error(last, ok)
	}
	if _, ok := Last(nil, time.Now()); ok {
		t.Error("a slot of no schedule")
	}
}

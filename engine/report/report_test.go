package report

import (
	"strings"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine/history/summary"
)

func week() Content {
	ms, long := int64(1500), int64(95432)
	return Content{Notes: []Note{{"pm2", "a<b", "grace is short"}}, Summary: summary.Summary{
		Since: time.Date(2026, 11, 17, 0, 0, 0, 0, time.UTC), Until: time.Date(2026, 11, 24, 0, 0, 0, 123456000, time.UTC),
		Systems: []summary.Totals{{
			Name: "pm2", Runs: 6, Succeeded: 3, Failed: 1, Cancelled: 2, Failovers: 2, Duration: summary.Spread{P50: &ms, Max: &long}, Recovery: summary.Spread{P50: &ms, Max: &ms},
			Pipelines: []summary.Totals{{Name: "<script>alert(1)</script>", Runs: 4, Succeeded: 3, Failed: 1}},
		}},
	}}
}

func TestHTMLEscapesWhatItPrints(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	if err := HTML(&b, week()); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	if strings.Contains(page, "<script>") || !strings.Contains(page, "&lt;script&gt;") {
		t.Errorf("a name is not escaped:\n%s", page)
	}
	for _, want := range []string{"2026-11-17T00:00:00Z to 2026-11-24T00:00:00Z", ">2<", "75.0 %", "1.5s", "a&lt;b: grace is short", `aria-label="75 % succeeded, 25 % failed"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
}

func TestMarkdownAndShape(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	if err := Markdown(&b, week().Only("pm2")); err != nil || !strings.Contains(b.String(), "2026-11-24T00:00:00Z\n") || !strings.Contains(b.String(), "| pm2 | 6 | 75.0 % | 1 | 2 | 1.5s | 1m35s | 2 | 0 | - | 1.5s | 1.5s |") || !strings.Contains(b.String(), "\n- pm2/a<b: grace is short\n") {
		t.Errorf("%v\n%s", err, &b)
	}
	got := Of(week().Only("nobody"))
	if got.Systems == nil || len(got.Systems) != 0 || got.Notes == nil || len(got.Notes) != 0 {
		t.Errorf("%+v", got)
	}
}

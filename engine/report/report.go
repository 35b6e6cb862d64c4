// Package report prints what a history sums up: as tables, as JSON, and as a
// page.
package report

import (
	"cmp"
	_ "embed" // the page
	"fmt"
	"io"
	"strings"
	"text/template"
	"time"

	"github.com/redundctl/redundctl/engine/history/summary"
	"github.com/redundctl/redundctl/engine/pipeline"
)

//go:embed report.html
var reportPage string

// Content is what a report says.
type Content struct {
	summary.Summary
	Notes []Note
}

// Only keeps one system.
func (c Content) Only(system string) Content {
	out := Content{Summary: c.Summary, Notes: []Note{}}
	out.Systems = nil
	for _, t := range c.Systems {
		if t.Name == system {
			out.Systems = append(out.Systems, t)
		}
	}
	for _, n := range c.Notes {
		if n.System == system {
			out.Notes = append(out.Notes, n)
		}
	}
	return out
}

// Report is `report --format json`; a pipeline has the keys of a system.
type Report struct {
	Since   string `json:"since"`
	Until   string `json:"until"`
	Systems []Row  `json:"systems"`
	Notes   []Note `json:"notes"`
}

// Row is what a system or a pipeline did.
type Row struct {
	Name          string         `json:"name"`
	Runs          int            `json:"runs"`
	Succeeded     int            `json:"succeeded"`
	Failed        int            `json:"failed"`
	Cancelled     int            `json:"cancelled"`
	Failovers     int            `json:"failovers"`
	LatePrimaries int            `json:"late-primaries"`
	Duration      summary.Spread `json:"duration-ms"`
	Lateness      summary.Spread `json:"lateness-ms"`
	Recovery      summary.Spread `json:"recovery-ms"`
	Pipelines     []Row          `json:"pipelines"`
}

// Of gives the shape of a report.
func Of(c Content) Report {
	return Report{Since: pipeline.Time(c.Since), Until: pipeline.Time(c.Until), Systems: shapeRows(c.Systems), Notes: append([]Note{}, c.Notes...)}
}

func shapeRows(list []summary.Totals) []Row {
	out := []Row{}
	for _, t := range list {
		out = append(out, Row{
			Name: t.Name, Runs: t.Runs, Succeeded: t.Succeeded, Failed: t.Failed, Cancelled: t.Cancelled, Failovers: t.Failovers,
			LatePrimaries: t.LatePrimaries, Duration: t.Duration, Lateness: t.Lateness, Recovery: t.Recovery, Pipelines: shapeRows(t.Pipelines),
		})
	}
	return out
}

// Rows are the lines of the tables: each system, then its pipelines.
func Rows(s summary.Summary) [][]string {
	var rows [][]string
	row := func(name string, t summary.Totals) {
		rows = append(rows, []string{
			name, fmt.Sprint(t.Runs), percent(t), fmt.Sprint(t.Failed), fmt.Sprint(t.Cancelled), millis(t.Duration.P50), millis(t.Duration.Max),
			fmt.Sprint(t.Failovers), fmt.Sprint(t.LatePrimaries), millis(t.Lateness.Max), millis(t.Recovery.P50), millis(t.Recovery.Max),
		})
	}
	for _, t := range s.Systems {
		row(t.Name, t)
		for _, p := range t.Pipelines {
			row(t.Name+"/"+p.Name, p)
		}
	}
	return rows
}

// Head names the columns of Rows.
func Head() []string {
	return []string{"SYSTEM", "RUNS", "SUCCESS", "FAILED", "CANCELLED", "TOOK P50", "MAX", "FAILOVERS", "LATE PRIMARIES", "BY UP TO", "RECOVERY P50", "MAX"}
}

// instant is a time as people read it, who need no part of a second.
func instant(t time.Time) string { return pipeline.Time(t.Truncate(time.Second)) }

func percent(t summary.Totals) string {
	if t.Succeeded+t.Failed == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f %%", 100*float64(t.Succeeded)/float64(t.Succeeded+t.Failed))
}

func millis(ms *int64) string {
	if ms == nil {
		return "-"
	}
	return Took(time.UnixMilli(1), time.UnixMilli(1+*ms))
}

// Markdown prints a table, and the notes below it.
func Markdown(w io.Writer, c Content) error {
	s := c.Summary
	var b strings.Builder
	fmt.Fprintf(&b, "# Report\n\n%s to %s\n\n| %s |\n|%s\n", instant(s.Since), instant(s.Until),
		strings.Join(Head(), " | "), strings.Repeat("---|", len(Head())))
	for _, r := range Rows(s) {
		fmt.Fprintf(&b, "| %s |\n", strings.Join(r, " | "))
	}
	for i, n := range c.Notes {
		if i == 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "- %s/%s: %s\n", n.System, n.Pipeline, n.Message)
	}
	_, err := fmt.Fprint(w, b.String())
	return err
}

// HTML prints a page that needs nothing else. Its template escapes each value
// by name: html/template would do it by itself, and costs every start of the
// program a tenth of a millisecond.
func HTML(w io.Writer, c Content) error {
	s := c.Summary
	page, err := template.New("report").Parse(reportPage)
	if err != nil {
		return fmt.Errorf("reading the page of the report: %w", err)
	}
	type bar struct {
		Cells   []string
		System  bool
		Good    int
		Bad     int
		Nothing bool
	}
	var bars []bar
	add := func(cells []string, t summary.Totals, system bool) {
		all := max(t.Succeeded+t.Failed, 1)
		bars = append(bars, bar{Cells: cells, System: system, Good: 100 * t.Succeeded / all, Bad: 100 * t.Failed / all, Nothing: t.Succeeded+t.Failed == 0})
	}
	rows, i := Rows(s), 0
	for _, t := range s.Systems {
		add(rows[i], t, true)
		i++
		for _, p := range t.Pipelines {
			add(rows[i], p, false)
			i++
		}
	}
	return page.Execute(w, map[string]any{
		"Since": cmp.Or(instant(s.Since), "-"), "Until": instant(s.Until), "Head": Head(), "Rows": bars, "Notes": c.Notes,
	})
}

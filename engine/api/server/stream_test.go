package server_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/redundctl/redundctl/engine/api"
	"github.com/redundctl/redundctl/engine/api/client"
	"github.com/redundctl/redundctl/engine/api/server"
)

// heard collects the messages of a stream of events.
func heard(t *testing.T, c *client.Client, after int64) (<-chan api.Message, <-chan error, context.CancelFunc) {
	ctx, cancel := context.WithCancel(t.Context())
	out, ended := make(chan api.Message, 1000), make(chan error, 1)
	go func() {
		ended <- c.Events(ctx, after, func(m api.Message) error { out <- m; return nil })
	}()
	t.Cleanup(cancel)
	return out, ended, cancel
}

func next(t *testing.T, from <-chan api.Message, so func(api.Message) bool) api.Message {
	t.Helper()
	limit := time.NewTimer(30 * time.Second)
	defer limit.Stop()
	for {
		select {
		case m := <-from:
			if so(m) {
				return m
			}
		case <-limit.C:
			t.Fatal("the message did not come")
		}
	}
}

func TestEvents(t *testing.T) {
	s := start(t, project(t, t.TempDir(), map[string]string{"pipelines/quick.yaml": quick}), server.Limits{Poll: 10 * time.Millisecond})
	one, two := s.client(), s.client()
	a, endA, cancel := heard(t, one, 0)
	b, _, _ := heard(t, two, 0)
	for _, from := range []<-chan api.Message{a, b} {
		m := next(t, from, func(api.Message) bool { return true })
		if m.Status == nil || len(m.Status.Parts) != 1 {
			t.Fatalf("a stream begins with %+v", m)
		}
	}
	run, err := one.Trigger(t.Context(), api.RunRequest{Pipeline: "quick"})
	if err != nil {
		t.Fatal(err)
	}
	asked := func(m api.Message) bool { return m.Event != nil && m.Event.What == "asked" }
	var first api.Message
	for _, from := range []<-chan api.Message{a, b} {
		first = next(t, from, asked)
		if *first.Event.Run != run.ID || *first.Event.Pipeline != "pm2/quick" {
			t.Errorf("%+v", first.Event)
		}
	}
	next(t, a, func(m api.Message) bool {
		return m.Status != nil && m.Status.Parts[0].LastRun != nil && m.Status.Parts[0].LastRun.State == "succeeded"
	})
	cancel()
	if err := <-endA; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	// Who comes again misses nothing.
	if _, err := one.StopPart(t.Context(), "quick"); err != nil {
		t.Fatal(err)
	}
	again, _, _ := heard(t, one, first.Event.ID)
	m := next(t, again, func(m api.Message) bool { return m.Event != nil })
	if m.Event.ID <= first.Event.ID {
		t.Errorf("%+v", m.Event)
	}
	stopped := func(m api.Message) bool { return m.Event != nil && m.Event.What == "part-stopped" }
	if !stopped(m) {
		next(t, again, stopped)
	}
	next(t, b, stopped)
	next(t, b, func(m api.Message) bool { return m.Status != nil && m.Status.Parts[0].State == "stopped" })
	// Who comes late may hear of what happened last, but not of all.
	late, _, _ := heard(t, s.client(), -1)
	if m := next(t, late, func(m api.Message) bool { return m.Event != nil }); !stopped(m) {
		t.Errorf("%+v", m.Event)
	}
	// f can end it.
	enough := errors.New("enough")
	if err := two.Events(t.Context(), 0, func(api.Message) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("%v", err)
	}
}

func TestReloadIsSeen(t *testing.T) {
	s := start(t, project(t, t.TempDir(), map[string]string{"pipelines/quick.yaml": quick}), server.Limits{Poll: 10 * time.Millisecond})
	c := s.client()
	from, _, _ := heard(t, c, 0)
	file := filepath.Join(s.project.Root, "pipelines/quick.yaml")
	if err := os.WriteFile(file, []byte(quick+"oops: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := c.Plan(t.Context())
	if err != nil || len(p.Rejected) != 1 || p.Rejected[0].Line == 0 {
		t.Errorf("%+v, %v", p, err)
	}
	r, err := c.Reload(t.Context())
	if err != nil || len(r.Rejected) != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	next(t, from, func(m api.Message) bool { return m.Status != nil && len(m.Status.Reload.Rejected) == 1 })
	var b bytes.Buffer
	if err := c.Metrics(t.Context(), &b); err != nil || !strings.Contains(b.String(), "redundctl_reload_rejected_files 1\n") {
		t.Errorf("%v in\n%s", err, b.String())
	}
	if err := os.WriteFile(file, []byte(quick+"enabled: false\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if r, err = c.Reload(t.Context()); err != nil || len(r.Rejected) != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	next(t, from, func(m api.Message) bool {
		return m.Status != nil && len(m.Status.Reload.Rejected) == 0 && m.Status.Parts[0].State == "disabled"
	})
	if list, err := c.List(t.Context()); err != nil || len(list) != 1 || list[0].Enabled || list[0].Next != nil {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestLogsFollow(t *testing.T) {
	s := start(t, project(t, t.TempDir(), map[string]string{"pipelines/quick.yaml": quick}), server.Limits{})
	c := s.client()
	ctx, cancel := context.WithCancel(t.Context())
	lines, ended := make(chan api.Line, 1000), make(chan error, 1)
	go func() {
		ended <- c.Logs(ctx, client.LogsQuery{Of: "pm2/quick", Follow: true}, func(l api.Line) error { lines <- l; return nil })
	}()
	run, err := c.Trigger(t.Context(), api.RunRequest{Pipeline: "quick", Params: map[string]string{"who": "all"}})
	if err != nil {
		t.Fatal(err)
	}
	limit := time.NewTimer(30 * time.Second)
	defer limit.Stop()
	for found := false; !found; {
		select {
		case l := <-lines:
			found = l.Text == "hello all" && *l.Run == run.ID && *l.Step == "greet"
		case <-limit.C:
			t.Fatal("the line did not come")
		}
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	n := 1
	count := 0
	if err := c.Logs(t.Context(), client.LogsQuery{Of: "engine", N: &n}, func(api.Line) error { count++; return nil }); err != nil || count != 1 {
		t.Errorf("%d lines, %v", count, err)
	}
}

func TestMetrics(t *testing.T) {
	s := start(t, project(t, t.TempDir(), map[string]string{
		"pipelines/quick.yaml": strings.Replace(quick, `{cron: "0 5 * * *"}`, "{every: 1s}", 1),
	}), server.Limits{})
	var b bytes.Buffer
	c := s.client()
	until(t, "a run in the metrics", func() bool {
		b.Reset()
		err := c.Metrics(t.Context(), &b)
		return err == nil && strings.Contains(b.String(), `redundctl_runs_total{system="pm2",state="succeeded"}`)
	})
	for _, want := range []string{
		"# TYPE redundctl_up gauge\nredundctl_up 1\n", "redundctl_pipelines 1\n", "redundctl_reload_generation 1\n",
		"redundctl_reload_rejected_files 0\n", "redundctl_queue_age_seconds ", `redundctl_health{status="healthy"} 1`,
		`redundctl_slots_total{decision="run",reason="scheduled"} `, `redundctl_lateness_seconds_bucket{le="+Inf"} `,
		"# TYPE redundctl_runs_active gauge\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
	parsed(t, &b)
}

// parsed reads metrics as Prometheus does, and holds their names, types and labels.
func parsed(t *testing.T, text io.Reader) {
	t.Helper()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(text)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]struct {
		kind   string
		labels string
	}{
		"redundctl_slots_total":           {"COUNTER", "decision reason"},
		"redundctl_runs_total":            {"COUNTER", "system state"},
		"redundctl_runs_active":           {"GAUGE", "system state"},
		"redundctl_queue_age_seconds":     {"GAUGE", ""},
		"redundctl_lateness_seconds":      {"HISTOGRAM", ""},
		"redundctl_reload_generation":     {"GAUGE", ""},
		"redundctl_reload_rejected_files": {"GAUGE", ""},
		"redundctl_pipelines":             {"GAUGE", ""},
		"redundctl_health":                {"GAUGE", "status"},
		"redundctl_up":                    {"GAUGE", ""},
	} {
		f := families[name]
		if f == nil || f.GetType().String() != want.kind || f.GetHelp() == "" {
			t.Errorf("%s: %v", name, f)
			continue
		}
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName())
			}
			if got := strings.Join(labels, " "); got != want.labels {
				t.Errorf("%s has the labels %q", name, got)
			}
		}
		delete(families, name)
	}
	for name := range families {
		t.Errorf("%s is written down nowhere", name)
	}
}

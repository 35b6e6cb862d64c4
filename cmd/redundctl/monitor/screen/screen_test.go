package screen_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"

	"github.com/redundctl/redundctl/cmd/redundctl/monitor/screen"
	"github.com/redundctl/redundctl/engine/api"
)

// now is where the pictures of the tests are taken: at night, in the zone of
// whoever runs them.
var now = time.Date(2027, 3, 14, 3, 2, 10, 0, time.Local)

func ago(d time.Duration) *string {
	s := now.Add(-d).UTC().Format(time.RFC3339)
	return &s
}

func p[T any](v T) *T { return &v }

func run(id int64, name, state string, since time.Duration) api.Run {
	system, pipe, _ := strings.Cut(name, "/")
	r := api.Run{ID: id, System: system, Pipeline: pipe, State: state, Trigger: "schedule", Reason: p("scheduled"), Attempt: 1, Queued: ago(since + time.Second)}
	switch state {
	case "running":
		r.Started = ago(since)
	case "failed", "succeeded":
		r.Started, r.Finished, r.DurationMS = ago(since+3*time.Second), ago(since), p(int64(3000))
	}
	if state == "failed" {
		r.Error = p("step push: exit code 128")
	}
	return r
}

// status is a small project with something of everything.
func status() api.Status {
	failed, going := run(412, "pm2/git-sync", "failed", 3*time.Minute), run(415, "pm2/warm-cache", "running", 42*time.Second)
	succeeded := run(409, "github-actions/marketing-sync", "succeeded", 62*time.Minute)
	return api.Status{
		Engine: api.EngineInfo{Version: "v0.4.0", PID: 812, Started: ago(51 * time.Hour), Host: "site"},
		Reload: api.Reload{Generation: 7, Loaded: 4, Rejected: []api.Rejected{{File: "pipelines/pm2/tick.yaml", Line: 3, Column: 1, Message: `unknown key "schedul"`}}},
		Systems: []api.SystemStatus{
			{Name: "github-actions", State: "running", Health: "healthy", Pipelines: 1},
			{Name: "netlify-functions", State: "stopped", Health: "healthy", Pipelines: 1},
			{Name: "pm2", State: "running", Health: "unhealthy", Pipelines: 2, Running: 1, Queued: 1, LastFailure: &api.Failure{Run: 412, At: ago(3 * time.Minute), Error: failed.Error}},
		},
		Parts: []api.Part{
			{Name: "marketing-sync", System: "github-actions", Mode: "standby", State: "running", Next: ago(-58 * time.Minute), LastRun: &succeeded},
			{Name: "form-digest", System: "netlify-functions", Mode: "alongside", State: "stopped"},
			{Name: "git-sync", System: "pm2", Mode: "alongside", State: "running", Next: ago(-2 * time.Minute), LastRun: &failed},
			{Name: "warm-cache", System: "pm2", Mode: "alongside", State: "observing", Next: ago(-14 * time.Minute), LastRun: &going},
		},
	}
}

func active() screen.Active {
	disk := api.Check{Name: "disk", Status: "degraded", Reason: "only 4096 KiB are free where the state directory lies: free some space there"}
	failed := api.Check{Name: "run", Status: "unhealthy", Reason: "run 412 of pm2/git-sync failed: step push: exit code 128"}
	file := api.Check{Name: "file", Status: "degraded", Reason: `pipelines/pm2/tick.yaml:3: unknown key "schedul"`}
	return screen.Active{
		Running: []api.Run{run(415, "pm2/warm-cache", "running", 42*time.Second)},
		Queued:  []api.Run{run(416, "pm2/git-sync", "queued", 5*time.Second)},
		Recent: []api.Run{
			run(415, "pm2/warm-cache", "running", 42*time.Second), run(412, "pm2/git-sync", "failed", 3*time.Minute), run(409, "github-actions/marketing-sync", "succeeded", 62*time.Minute),
		},
		Health: api.Health{Status: "unhealthy", Systems: []api.SystemHealth{
			{Name: "github-actions", Status: "degraded", Checks: []api.Check{disk}},
			{Name: "netlify-functions", Status: "degraded", Checks: []api.Check{disk}},
			{Name: "pm2", Status: "unhealthy", Checks: []api.Check{disk, failed, file}},
		}},
	}
}

// opened is a screen that has been told everything.
func opened(o screen.Options) *screen.Screen {
	o.Now = now
	s := screen.New(o)
	s.Met()
	s.Status(status())
	s.Active(active())
	s.Event(api.Event{ID: 1, At: *ago(20 * time.Minute), Pipeline: p("netlify-functions/form-digest"), What: "part-stopped", Detail: "by deploy"})
	s.Event(api.Event{ID: 2, At: *ago(time.Minute), What: "reload-rejected", Detail: "pipelines/pm2/tick.yaml"})
	return s
}

// press presses keys; the last one's ask is given.
func press(s *screen.Screen, keys ...string) (a screen.Ask) {
	for _, k := range keys {
		text := k
		if utf8.RuneCountInString(k) != 1 {
			text = ""
		}
		a = s.Key(k, text)
	}
	return a
}

// holds checks that a picture fits a terminal and cannot harm it.
func holds(t *testing.T, s *screen.Screen, w, h int, what string) string {
	t.Helper()
	got := s.View()
	lines := strings.Split(got, "\n")
	if len(lines) != h {
		t.Fatalf("%s: %d lines at %d x %d:\n%s", what, len(lines), w, h, got)
	}
	own := regexp.MustCompile("\x1b\\[(7|1|2|3[123]|7;1|7;2|7;3[123]|0)m")
	for _, l := range lines {
		bare := own.ReplaceAllString(l, "")
		if n := max(ansi.StringWidth(bare), ansi.StringWidthWc(bare)); n > w {
			t.Fatalf("%s: a line of %d columns at %d x %d: %q", what, n, w, h, l)
		}
		if i := strings.IndexFunc(bare, func(r rune) bool {
			return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == utf8.RuneError
		}); i >= 0 {
			t.Fatalf("%s: %q reaches the terminal in %q", what, bare[i:min(i+4, len(bare))], l)
		}
	}
	return got
}

// TestPicture holds that the page of the documentation shows what is shown.
func TestPicture(t *testing.T) {
	t.Parallel()
	got := holds(t, opened(screen.Options{}), 80, 24, "the overview")
	var want []string
	for l := range strings.SplitSeq(got, "\n") {
		want = append(want, strings.TrimRight(l, " "))
	}
	page, err := os.ReadFile("../../../../docs/engine.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), "```text\n"+strings.Join(want, "\n")+"\n```") {
		t.Errorf("docs/engine.md does not have this picture:\n%s", strings.Join(want, "\n"))
	}
}

// nasty are texts that could harm a terminal or the width of a line.
func nasty() []string {
	return []string{
		"\x1b[2J\x1b[H\x1b]0;title\x07\x1b[31mred", "a\r\nb\tc\x00\x7f", "\u009b2J\u0085\u2028\u202egnirts\u2066x", "\xff\xfe\xc3(",
		strings.Repeat("日本語の名前", 20), strings.Repeat("e\u0301\u0302\u0323", 60), "👨‍👩‍👧‍👦 🇩🇪🇫🇷 👍🏽 ❤️ 🏴\U000e0067\U000e0062\U000e007f", "नमस्ते किताब क्षि", "ᄒ\u1161\u11ab글",
		strings.Repeat("x", 100000), "", " ", "\u200b\u00ad\ufeff\u034f", strings.Repeat("\u0301", 5000), "ﷺ𒐫𒈙⸻", "e" + strings.Repeat("\u0489", 300),
	}
}

// hostile fills every text of a screen that comes from outside.
func hostile(r *rand.Rand, s *screen.Screen) {
	list := nasty()
	x := func() string { return list[r.IntN(len(list))] }
	n := func() int { return r.IntN(12) }
	runOf := func() api.Run {
		states := []string{"queued", "running", "failed", "succeeded", "skipped", x()}
		y := run(int64(r.IntN(40)), "pm2/"+x(), states[r.IntN(len(states))], time.Duration(r.IntN(1e6))*time.Second)
		y.Error, y.Trigger, y.Reason = p(x()), x(), p(x())
		if r.IntN(4) == 0 {
			y.Queued, y.Started = p(x()), nil
		}
		return y
	}
	list2 := func() (out []api.Run) {
		for range n() {
			out = append(out, runOf())
		}
		return out
	}
	st := api.Status{Engine: api.EngineInfo{Version: x(), Host: x(), PID: 1, Started: p(x()), Environment: p(x())}}
	for range n() {
		st.Systems = append(st.Systems, api.SystemStatus{Name: x(), State: x(), Health: x(), LastFailure: &api.Failure{Run: 1, At: p(x()), Error: p(x())}})
		last := runOf()
		st.Parts = append(st.Parts, api.Part{Name: x(), System: "pm2", Mode: x(), State: x(), Next: p(x()), LastRun: &last})
		st.Reload.Rejected = append(st.Reload.Rejected, api.Rejected{File: x(), Message: x()})
	}
	a := screen.Active{Running: list2(), Queued: list2(), Recent: list2(), Health: api.Health{Status: x(), Systems: []api.SystemHealth{{Name: x(), Status: x()}}}}
	for range n() {
		a.Health.Systems[0].Checks = append(a.Health.Systems[0].Checks, api.Check{Name: x(), Status: x(), Reason: x()})
	}
	s.Status(st)
	s.Active(a)
	s.Event(api.Event{ID: int64(n()), At: x(), Pipeline: p(x()), Run: p(int64(n())), What: x(), Detail: x()})
	shown := api.Shown{Run: runOf()}
	for range n() {
		shown.Steps = append(shown.Steps, api.Step{
			ID: x(), Matrix: p(x()), Uses: x(), State: x(), Started: p(x()), Error: p(x()), Signal: p(x()), Outputs: map[string]any{x(): x(), "n": []any{1, x()}},
		})
	}
	w := s.Wants()
	if w.Run != 0 {
		shown.ID = w.Run
	}
	if w.Pipeline != "" {
		shown.System, shown.Pipeline, _ = strings.Cut(w.Pipeline, "/")
		s.Runs(w.Pipeline, list2())
	}
	s.Run(shown)
	var lines []api.Line
	for range n() * 10 {
		lines = append(lines, api.Line{At: x(), System: x(), Run: p(int64(n())), Step: p(x()), Text: x()})
	}
	s.Lines(w.Log, lines, n())
	if n() == 0 {
		s.Lost(x())
	}
	if n() == 0 {
		s.Say(false, x())
	}
}

// TestAnythingFits plays keys, sizes and hostile data at random: every picture
// fits its terminal and has no control character in it.
func TestAnythingFits(t *testing.T) {
	t.Parallel()
	keys := []string{
		"up", "down", "j", "k", "tab", "shift+tab", "enter", "enter", "enter", "esc", "backspace", "l", "c", "r", "s", "y", "n", "/", "?", "g", "G", "pgup", "pgdown", "space", "x", "日", "ctrl+u", "f13",
	}
	for seed := range uint64(8) {
		r := rand.New(rand.NewPCG(seed, 7))
		s := screen.New(screen.Options{Color: seed%2 == 0, Now: now, System: []string{"", "", "", "pm2"}[seed%4]})
		var did []string
		w, h := 80, 24
		for i := range 100 {
			switch r.IntN(8) {
			case 0:
				w, h = 1+r.IntN(200), 1+r.IntN(50)
				s.Resize(w, h)
			case 1:
				hostile(r, s)
			case 2:
				s.Met()
				s.Tick(now.Add(time.Duration(i) * time.Second))
			default:
				k := keys[r.IntN(len(keys))]
				did = append(did, k)
				press(s, k)
			}
			holds(t, s, w, h, fmt.Sprintf("seed %d, %v", seed, did))
		}
	}
}

// TestEverySize draws the overview and each page at every size.
func TestEverySize(t *testing.T) {
	t.Parallel()
	for _, open := range [][]string{nil, {"enter"}, {"l"}, {"?"}, {"tab", "enter"}, {"shift+tab", "enter"}, {"shift+tab", "shift+tab", "enter"}, {"c"}, {"/", "x"}} {
		s := opened(screen.Options{Color: true})
		press(s, open...)
		for w := 1; w <= 170; w += 1 + w/8 {
			for h := 1; h <= 50; h += 1 + h/5 {
				s.Resize(w, h)
				holds(t, s, w, h, fmt.Sprint(open))
			}
		}
	}
}

func TestManyPipelinesAreShownFromTheCursor(t *testing.T) {
	t.Parallel()
	s := opened(screen.Options{})
	st := status()
	for i := range 10000 {
		st.Parts = append(st.Parts, api.Part{Name: fmt.Sprintf("x-%05d", i), System: "pm2", State: "running", Mode: "alongside"})
	}
	s.Status(st)
	press(s, "G")
	if got := holds(t, s, 80, 24, "the end"); !strings.Contains(got, "> pm2/x-09999") || !strings.Contains(got, "-10004/10004") {
		t.Errorf("%s", got)
	}
}

func BenchmarkView(b *testing.B) {
	for _, n := range []int{0, 1000, 10000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := opened(screen.Options{Color: true})
			st := status()
			for i := range n {
				st.Parts = append(st.Parts, api.Part{Name: fmt.Sprintf("x-%05d", i), System: "pm2", State: "running", Mode: "alongside"})
			}
			s.Status(st)
			for b.Loop() {
				s.View()
			}
		})
	}
}

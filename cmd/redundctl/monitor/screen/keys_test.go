package screen_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redundctl/redundctl/cmd/redundctl/monitor/screen"
	"github.com/redundctl/redundctl/engine/api"
)

func footer(s *screen.Screen) string {
	lines := strings.Split(s.View(), "\n")
	return strings.TrimRight(lines[len(lines)-1], " ")
}

func shows(t *testing.T, s *screen.Screen, want ...string) {
	t.Helper()
	got := s.View()
	for _, w := range want {
		if !strings.Contains(got, w) {
			t.Errorf("there is no %q in\n%s", w, got)
		}
	}
}

// TestEachActionAsksFirst holds that nothing is done before a y, and that it is
// what was asked.
func TestEachActionAsksFirst(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		keys   string // which row, then the key
		footer string
		ask    screen.Ask
	}{
		{"j,j,r", "let run 412 of pm2/git-sync run again?", screen.Ask{Do: screen.Retry, Run: 412}},
		{"j,j,c", "nothing that goes on is selected", screen.Ask{}},
		{"j,j,s", "stop pm2/git-sync? runs that go on may end", screen.Ask{Do: screen.Stop, Name: "pm2/git-sync"}},
		{"j,s", "start netlify-functions/form-digest?", screen.Ask{Do: screen.Start, Name: "netlify-functions/form-digest"}},
		{"j,r", "no run is selected", screen.Ask{}},
		{"G,c", "cancel run 415 of pm2/warm-cache?", screen.Ask{Do: screen.Cancel, Run: 415}},
		{"G,r", "run 415 of pm2/warm-cache has not ended: c cancels it", screen.Ask{}},
		{"shift+tab,G,s", "stop pm2? runs that go on may end", screen.Ask{Do: screen.Stop, Name: "pm2"}},
		{"shift+tab,G,r", "let run 412 run again?", screen.Ask{Do: screen.Retry, Run: 412}},
		{"tab,c", "cancel run 415 of pm2/warm-cache?", screen.Ask{Do: screen.Cancel, Run: 415}},
		{"tab,G,c", "cancel run 416 of pm2/git-sync?", screen.Ask{Do: screen.Cancel, Run: 416}},
		{"tab,tab,s", "no system and no pipeline is selected", screen.Ask{}},
		{"tab,tab,j,r", "let run 412 of pm2/git-sync run again?", screen.Ask{Do: screen.Retry, Run: 412}},
		{"tab,enter,c", "nothing that goes on is selected", screen.Ask{}},
		{"tab,l,c", "nothing that goes on is selected", screen.Ask{}},
		{"shift+tab,shift+tab,c", "nothing that goes on is selected", screen.Ask{}},
	} {
		for _, answer := range []string{"y", "n", "enter", "q", "c", "esc"} {
			s := opened(screen.Options{})
			if got := press(s, strings.Split(tt.keys, ",")...); got != (screen.Ask{}) {
				t.Errorf("%s: %+v is done at once", tt.keys, got)
			}
			if got := footer(s); !strings.HasPrefix(got, tt.footer) {
				t.Errorf("%s: the footer is %q", tt.keys, got)
			}
			if tt.ask == (screen.Ask{}) {
				break
			}
			want := tt.ask
			if answer != "y" {
				want = screen.Ask{}
			}
			if got := press(s, answer); got != want {
				t.Errorf("%s, then %s: %+v", tt.keys, answer, got)
			}
		}
	}
}

func TestAnActionNeedsTheEngine(t *testing.T) {
	t.Parallel()
	s := opened(screen.Options{})
	s.Lost("no engine is running here")
	press(s, "G", "c")
	if got := footer(s); got != "that needs the engine: no engine is running here" {
		t.Errorf("the footer is %q", got)
	}
	st := status()
	st.Parts[2].State = "disabled"
	s = opened(screen.Options{})
	s.Status(st)
	press(s, "j", "j", "s")
	if got := footer(s); got != "pm2/git-sync is disabled in its file: redundctl enable pm2/git-sync" {
		t.Errorf("the footer is %q", got)
	}
}

// TestTheEnd holds that Ctrl-C ends the view whatever is open, and q unless it is
// an answer or text.
func TestTheEnd(t *testing.T) {
	t.Parallel()
	for _, keys := range []string{"", "enter", "l", "?", "/", "/ a", "G c", "tab enter"} {
		s := opened(screen.Options{})
		press(s, strings.Fields(keys)...)
		if got := press(s, "ctrl+c"); got.Do != screen.Interrupt {
			t.Errorf("%q, then Ctrl-C: %+v", keys, got)
		}
		text := strings.HasPrefix(keys, "/") || strings.HasSuffix(keys, "c")
		if got := press(s, "q"); (got.Do == screen.Quit) == text {
			t.Errorf("%q, then q: %+v", keys, got)
		}
	}
	if got := press(opened(screen.Options{}), "ctrl+z"); got.Do != screen.Suspend {
		t.Errorf("Ctrl-Z: %+v", got)
	}
}

func TestFilter(t *testing.T) {
	t.Parallel()
	s := opened(screen.Options{})
	press(s, "/", "G", "i", "t", "-")
	if got := footer(s); !strings.HasPrefix(got, "/Git-_") {
		t.Errorf("the footer is %q", got)
	}
	s.Paste("sync\x1b[2Jcy")
	press(s, "ctrl+u")
	s.Paste("git-")
	press(s, "x", "backspace", "enter")
	shows(t, s, "> pm2/git-sync", "#416", "only git-")
	if got := s.View(); strings.Contains(got, "  pm2/warm-cache") || !strings.Contains(got, "netlify-functions  stopped") {
		t.Errorf("the filter keeps\n%s", got)
	}
	press(s, "esc")
	shows(t, s, "pm2/warm-cache", "? help")
	s.Paste("c")
	press(s, "/", "s", "t", "o", "p", "enter")
	shows(t, s, "> netlify-functions/form-digest")
	press(s, "/", "esc")
	shows(t, s, "pm2/warm-cache")
}

// TestTheSelectionStays holds that a row is followed when others come and go, so
// that a key never means another one than was seen.
func TestTheSelectionStays(t *testing.T) {
	t.Parallel()
	s := opened(screen.Options{})
	press(s, "j", "j")
	shows(t, s, "> pm2/git-sync")
	st := status()
	st.Parts = append([]api.Part{{Name: "a", System: "pm2", State: "running"}, {Name: "b", System: "pm2", State: "running"}}, st.Parts...)
	s.Status(st)
	shows(t, s, "> pm2/git-sync")
	press(s, "up", "down")
	shows(t, s, "> pm2/git-sync")
	st.Parts = st.Parts[:2]
	s.Status(st)
	shows(t, s, "> pm2/b")
	st.Parts = nil
	s.Status(st)
	shows(t, s, "> PIPELINES  none in force")
	press(s, "tab", "tab")
	shows(t, s, "> 03:01:10  -  ")
	s.Event(api.Event{ID: 9, At: *ago(0), What: "part-started", Detail: "by deploy"})
	shows(t, s, "> 03:01:10  -  ", "  03:02:10  -  ")
}

// TestOneSystem holds that nothing of the others is shown.
func TestOneSystem(t *testing.T) {
	t.Parallel()
	s := opened(screen.Options{System: "pm2"})
	shows(t, s, "pm2: UNHEALTHY", "run 412 of pm2/git-sync failed", "tick.yaml:3:1", "disk: only", "> pm2/git-sync")
	if got := s.View(); strings.Contains(got, "netlify") {
		t.Errorf("another system is in\n%s", got)
	}
	s = opened(screen.Options{System: "github-actions"})
	shows(t, s, "github-actions: DEGRADED", "disk: only")
	for _, no := range []string{"pm2/git-sync failed", "tick.yaml:3", "UNHEALTHY"} {
		if got := s.View(); strings.Contains(got, no) {
			t.Errorf("%s is in\n%s", no, got)
		}
	}
}

// TestSilence holds that a picture that is old says so.
func TestSilence(t *testing.T) {
	t.Parallel()
	s := opened(screen.Options{})
	s.Tick(now.Add(5 * time.Second))
	shows(t, s, "UNHEALTHY  up 2d03h")
	s.Tick(now.Add(7 * time.Second))
	shows(t, s, "NO ANSWER, was UNHEALTHY  up 2d03h", "no answer for 7s, this is how it was at 03:02:10: the engine does not answer", "> github-actions")
	s.Heard()
	shows(t, s, "UNHEALTHY  up")
	s.Lost("the engine ended")
	s.Tick(now.Add(50 * time.Second))
	shows(t, s, "no answer for 43s, this is how it was at 03:02:17: the engine ended")
	s.Met()
	s.Status(status())
	if got := s.View(); strings.Contains(got, "NO ANSWER") || strings.Contains(got, "part-stopped") {
		t.Errorf("after it has come back:\n%s", got)
	}
}

func shown() api.Shown {
	return api.Shown{Run: run(412, "pm2/git-sync", "failed", 3*time.Minute), Steps: []api.Step{
		{ID: "fetch", Uses: "git/sync", State: "succeeded", Attempts: 1, Started: ago(200 * time.Second), Finished: ago(198 * time.Second), Outputs: map[string]any{"commits": 3}},
		{ID: "push", Matrix: p("remote=a"), Uses: "run", State: "failed", Attempts: 2, ExitCode: p(128), Started: ago(198 * time.Second), Finished: ago(180 * time.Second), Error: p("exit code 128"), Continue: true},
	}}
}

// TestPages opens what there is to open.
func TestPages(t *testing.T) {
	t.Parallel()
	s := opened(screen.Options{})
	press(s, "j", "j", "enter")
	if got := s.Wants(); got != (screen.Wants{Pipeline: "pm2/git-sync"}) {
		t.Errorf("it wants %+v", got)
	}
	shows(t, s, "PIPELINE pm2/git-sync", "is running, alongside, next in 2m00s, at 03:04:10")
	s.Runs("pm2/git-sync", []api.Run{run(412, "pm2/git-sync", "failed", 3*time.Minute), run(300, "pm2/git-sync", "succeeded", 26*time.Hour)})
	s.Run(shown())
	shows(t, s, "> fetch            git/sync  succeeded          2s", "push (remote=a)  run       failed, continued  18s   2      exit code 128", "#300  succeeded  03-13 01:02  3s")
	press(s, "j", "enter")
	shows(t, s, "push (remote=a)", "attempts 2", "exit code 128")
	press(s, "esc", "k", "enter")
	shows(t, s, "output commits = 3")
	press(s, "esc", "G", "enter")
	if got := s.Wants(); got != (screen.Wants{Run: 300}) {
		t.Errorf("it wants %+v", got)
	}
	shows(t, s, "RUN 300", "it has not come yet")
	press(s, "esc", "esc", "shift+tab", "G", "enter")
	shows(t, s, "SYSTEM pm2", "pm2 is running and unhealthy; 1 of its runs go on, 1 wait", "unhealthy: run: run 412", "> pm2/git-sync")
	press(s, "enter")
	shows(t, s, "PIPELINE pm2/git-sync")
	press(s, "esc", "esc", "shift+tab", "G", "enter")
	shows(t, s, "READ", "degraded", "free some space")
	press(s, "esc", "shift+tab", "enter")
	shows(t, s, "READ", "reload-rejected")
	press(s, "esc", "?", "?")
	shows(t, s, "KEYS", "cancel the run")
	s.Resize(30, 8)
	press(s, "G")
	shows(t, s, "the events.")
}

func lines(from, to int) (out []api.Line) {
	for i := from; i < to; i++ {
		out = append(out, api.Line{At: *ago(0), System: "pm2", Run: p(int64(415)), Step: p("wait"), Text: fmt.Sprintf("line %d", i)})
	}
	return out
}

// TestLog follows a log, holds still when somebody reads it, and is bounded.
func TestLog(t *testing.T) {
	t.Parallel()
	s := opened(screen.Options{})
	press(s, "tab", "l")
	if got := s.Wants(); got != (screen.Wants{Log: "415"}) {
		t.Fatalf("it wants %+v", got)
	}
	shows(t, s, "LOG OF RUN 415", "nothing yet")
	s.Lines("415", lines(0, 100), 0)
	s.Lines("7", lines(0, 100), 0) // of what was open before
	shows(t, s, "03:02:10 wait | line 99")
	press(s, "k", "k")
	shows(t, s, "line 78 of 100, G follows the end", "line 97")
	s.Lines("415", lines(100, 200), 0)
	shows(t, s, "line 78 of 200", "line 97")
	press(s, "G")
	s.Lines("415", lines(200, 5000), 12)
	shows(t, s, "line 4999", "3012 more before: redundctl logs 415")
	press(s, "g")
	shows(t, s, "line 3000", "line 1 of 2000")
	s.Restarted("415")
	shows(t, s, "nothing yet")
	press(s, "esc", "shift+tab", "l")
	if got := s.Wants(); got != (screen.Wants{Log: "github-actions/marketing-sync"}) {
		t.Errorf("it wants %+v", got)
	}
	press(s, "esc", "shift+tab", "l")
	if got := s.Wants(); got != (screen.Wants{Log: "github-actions"}) {
		t.Errorf("it wants %+v", got)
	}
	press(s, "esc", "shift+tab", "l")
	if got := s.Wants(); got != (screen.Wants{Log: "engine"}) {
		t.Errorf("it wants %+v", got)
	}
}

// TestNarrow holds what is left when there is little room: the verdict with its
// reason, and the pane that the keys move in.
func TestNarrow(t *testing.T) {
	t.Parallel()
	s := opened(screen.Options{})
	s.Resize(40, 5)
	got := strings.Split(s.View(), "\n")
	want := []string{"UNHEALTHY  up 2d03h, process 812 on sit…", "3 reasons, unhealthy: run: run 412 of p…", "  PIPELINES 1-1/4   STATE", "> github-actions/…  running"}
	for i := range got {
		got[i] = strings.TrimRight(got[i], " ")
	}
	if len(got) != 5 || !slices.Equal(got[:4], want) {
		t.Errorf("%s", strings.Join(got, "\n"))
	}
	s.Resize(160, 40)
	for l := range strings.SplitSeq(s.View(), "\n") {
		if strings.Contains(l, "SYSTEMS") && !strings.Contains(l, "IN PROGRESS") {
			t.Errorf("the panes are not side by side:\n%s", s.View())
		}
	}
}

package supervise

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/schedule"
)

// world is where processes run that are none.
type world struct {
	t    *testing.T
	from time.Time
	sup  *Supervisor

	mu    sync.Mutex
	alive map[string]int // by id and instance: how many run now
	most  int            // that ran of one at the same time
	said  []string
	pid   int
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, from: time.Now(), alive: map[string]int{}}
	w.sup = New(Options{Told: func(e Event) {
		if e.What != "started" {
			w.say("%s.%d %s: %s", e.ID, e.Instance, e.What, e.Detail)
		}
	}})
	t.Cleanup(w.sup.Close)
	return w
}

func (w *world) say(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.said = append(w.said, fmt.Sprintf("%s ", time.Since(w.from))+fmt.Sprintf(format, args...))
}

// service is one whose processes live as long as life says, and take a second to
// stop; as life says they end with exit code 1 when bad.
func (w *world) service(id string, life time.Duration, bad bool) Wanted {
	return Wanted{
		ID: id, Sees: "1", Form: "1", Restart: policy("always"),
		Run: func(ctx context.Context, p Process) error {
			name := fmt.Sprintf("%s.%d", id, p.Instance)
			w.mu.Lock()
			w.pid++
			pid := w.pid
			w.alive[name]++
			w.most = max(w.most, w.alive[name])
			w.mu.Unlock()
			defer func() {
				w.mu.Lock()
				w.alive[name]--
				w.mu.Unlock()
			}()
			w.say("%s runs", name)
			p.Started(pid)
			if p.Output != nil {
				fmt.Fprint(p.Output, "begins\nlistening ")
				<-time.After(3 * time.Second)
				fmt.Fprint(p.Output, "on 80\r\n")
			}
			select {
			case <-time.After(life):
			case <-ctx.Done():
				<-time.After(time.Second)
				return context.Cause(ctx)
			}
			if bad {
				return &pipeline.Exit{Code: 1}
			}
			return nil
		},
	}
}

// told holds what was said against what should have been, and that no two of one
// ran.
func (w *world) told(want ...string) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Equal(w.said, want) {
		w.t.Errorf("it was said\n%s\nand should have been\n%s", strings.Join(w.said, "\n"), strings.Join(want, "\n"))
	}
	if w.most > 1 {
		w.t.Errorf("%d ran at once", w.most)
	}
}

func (w *world) state(id string) string {
	var out []string
	for _, x := range w.sup.Instances(id) {
		out = append(out, x.State)
	}
	return strings.Join(out, " ")
}

func TestAServiceIsKeptRunning(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a := w.service("pm2/a", time.Hour, false)
		w.sup.Apply([]Wanted{a})
		<-time.After(90 * time.Minute)
		if got := w.state("pm2/a"); got != Running {
			t.Errorf("it is %s", got)
		}
		x := w.sup.Instances("pm2/a")[0]
		if x.PID != 2 || x.Restarts != 1 || !x.Since.Equal(w.from.Add(time.Hour)) || x.Reason != "it ended" {
			t.Errorf("%+v", x)
		}
		w.sup.Apply(nil)
		if !w.sup.Gone(t.Context(), "pm2/a") || len(w.sup.Instances("pm2/a")) != 0 {
			t.Error("it goes on")
		}
		w.told("0s pm2/a.0 runs", "1h0m0s pm2/a.0 restarted: it ended", "1h0m0s pm2/a.0 runs")
	})
}

func TestErroredUntilSomebodySeesToIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a := w.service("pm2/a", 0, true)
		a.Restart.MaxRestarts = 3
		w.sup.Apply([]Wanted{a})
		<-time.After(time.Minute)
		if got := w.state("pm2/a"); got != Errored {
			t.Errorf("it is %s", got)
		}
		run := func(at string) []string {
			return []string{at + " pm2/a.0 restarted: exit code 1", at + " pm2/a.0 runs"}
		}
		want := slices.Concat([]string{"0s pm2/a.0 runs"}, run("0s"), run("1s"), run("3s"), []string{"3s pm2/a.0 errored: exit code 1"})
		w.sup.Apply([]Wanted{a}) // nothing has changed
		<-time.After(time.Minute)
		w.sup.Restart("pm2/a")
		<-time.After(time.Minute)
		want = slices.Concat(want, run("2m0s"), run("2m0s"), run("2m1s"), run("2m3s"), []string{"2m3s pm2/a.0 errored: exit code 1"})
		a.Form = "2"
		w.sup.Apply([]Wanted{a})
		<-time.After(500 * time.Millisecond)
		want = slices.Concat(want, run("3m0s"), run("3m0s"))
		w.mu.Lock() // what is said at one instant has no order
		slices.Sort(w.said)
		w.mu.Unlock()
		slices.Sort(want)
		w.told(want...)
	})
}

// TestOnlyWhatItSeesRestartsAService: other keys apply without that, also while
// it runs.
func TestOnlyWhatItSeesRestartsAService(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a := w.service("pm2/a", 10*time.Minute, false)
		w.sup.Apply([]Wanted{a})
		<-time.After(time.Minute)
		a.Form, a.Restart.Policy, a.Instances = "2", "on-failure", 2
		w.sup.Apply([]Wanted{a})
		<-time.After(time.Minute)
		w.told("0s pm2/a.0 runs", "1m0s pm2/a.1 runs")
		<-time.After(10 * time.Minute)
		if got := w.state("pm2/a"); got != "stopped stopped" {
			t.Errorf("after the policy has changed it is %s", got)
		}
		a.Form, a.Instances = "3", 1
		w.sup.Apply([]Wanted{a})
		<-time.After(time.Minute)
		w.said = nil
		a.Sees = "2"
		w.sup.Apply([]Wanted{a})
		<-time.After(time.Minute)
		a.Sees = "3"
		w.sup.Apply([]Wanted{a})
		<-time.After(10 * time.Second)
		w.told("13m0s pm2/a.0 restarted: it ended", "13m0s pm2/a.0 runs", "14m1s pm2/a.0 restarted: what it sees has changed", "14m1s pm2/a.0 runs")
	})
}

// TestNeverTwo: whatever is asked for while a process ends, the next one waits
// for its end.
func TestNeverTwo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a := w.service("pm2/a", time.Hour, false)
		for i := range 40 {
			a.Sees = fmt.Sprint(i % 3)
			switch i % 4 {
			case 3:
				w.sup.Apply(nil)
			case 2:
				w.sup.Restart("pm2/a")
			default:
				w.sup.Apply([]Wanted{a})
			}
			<-time.After(time.Duration(i) * 70 * time.Millisecond)
		}
		w.sup.Apply([]Wanted{a})
		<-time.After(5 * time.Second)
		if w.most != 1 || w.alive["pm2/a.0"] != 1 || w.state("pm2/a") != Running {
			t.Errorf("%d at most, %d now, %s", w.most, w.alive["pm2/a.0"], w.state("pm2/a"))
		}
	})
}

func TestReadyAndLiveness(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		well := true
		question := func(_ context.Context, n int) error {
			if well && n == 0 {
				return nil
			}
			return errors.New("no answer")
		}
		a := w.service("pm2/a", time.Hour, false)
		a.Ready = &Watch{Log: regexp.MustCompile(`^listening on \d+$`), Timeout: 30 * time.Second}
		a.Liveness = &Watch{Ask: question, Every: 10 * time.Second, Timeout: 5 * time.Second, Failures: 3}
		w.sup.Apply([]Wanted{a})
		<-time.After(2 * time.Second)
		if got := w.state("pm2/a"); got != Starting {
			t.Errorf("before its line it is %s", got)
		}
		<-time.After(2 * time.Second)
		if got := w.state("pm2/a"); got != Running {
			t.Errorf("after its line it is %s", got)
		}
		<-time.After(time.Minute)
		well = false
		<-time.After(31 * time.Second)
		well = true
		<-time.After(5 * time.Second)
		w.told("0s pm2/a.0 runs", "3s pm2/a.0 ready: ", "1m34s pm2/a.0 restarted: liveness failed 3 times in a row: no answer", "1m34s pm2/a.0 runs", "1m37s pm2/a.0 ready: ")
	})
}

func TestNotReadyInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a := w.service("pm2/a", time.Hour, false)
		a.Restart.MaxRestarts = 1
		a.Ready = &Watch{Ask: func(context.Context, int) error { return errors.New("refused") }, Timeout: 30 * time.Second}
		w.sup.Apply([]Wanted{a})
		<-time.After(5 * time.Minute)
		w.told("0s pm2/a.0 runs", "31s pm2/a.0 restarted: it was not ready within 30s: refused", "31s pm2/a.0 runs", "1m2s pm2/a.0 errored: it was not ready within 30s: refused")
	})
}

func TestCronRestart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		s, err := schedule.Parse(pipeline.Schedule{Cron: "*/15 * * * *", Timezone: "UTC"})
		if err != nil {
			t.Fatal(err)
		}
		a := w.service("pm2/a", time.Hour, false)
		a.Cron, a.Restart.MaxRestarts = s, 0
		w.sup.Apply([]Wanted{a})
		<-time.After(31 * time.Minute)
		b := w.service("pm2/b", time.Minute, false)
		b.Cron, b.Restart = s, policy("never")
		w.sup.Apply([]Wanted{b})
		<-time.After(15*time.Minute + time.Second)
		w.told("0s pm2/a.0 runs", "15m1s pm2/a.0 restarted: cron-restart is due", "15m1s pm2/a.0 runs", "30m1s pm2/a.0 restarted: cron-restart is due", "30m1s pm2/a.0 runs",
			"31m0s pm2/b.0 runs", "32m0s pm2/b.0 ended: it ended", "45m0s pm2/b.0 restarted: it ended", "45m0s pm2/b.0 runs", "46m0s pm2/b.0 ended: it ended")
	})
}

// TestCloseWaits: when it returns, nothing runs.
func TestCloseWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b := w.service("pm2/a", time.Hour, false), w.service("pm2/b", 0, true)
		a.Instances = 3
		w.sup.Apply([]Wanted{a, b})
		<-time.After(time.Second)
		w.sup.Close()
		w.sup.Apply([]Wanted{a, b})
		if w.alive["pm2/a.0"]+w.alive["pm2/a.2"]+w.alive["pm2/b.0"] != 0 || w.state("pm2/a") != "" {
			t.Errorf("%v run, %s", w.alive, w.state("pm2/a"))
		}
	})
}

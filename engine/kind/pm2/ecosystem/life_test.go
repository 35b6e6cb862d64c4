package ecosystem_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// quickTeller is a teller that ends with a code after a while: `quick.sh 1 0.5`.
const quickTeller = `echo '{"pid": '$$', "at": '$(date +%s%3N)'}' >> told/$APP
[ -z "$2" ] || sleep "$2"
exit "$1"
`

// TestOptionsLife: when an application is started again, how often and after
// which pause, and how it is ended, is the same under a real PM2 and under ours,
// or as far from it as the import says.
func TestOptionsLife(t *testing.T) {
	t.Parallel()
	type m = map[string]any
	do := func(name, what string, more m) m {
		out := m{"name": name, "env": m{"DO": what}}
		for k, v := range more {
			out[k] = v
		}
		return out
	}
	quick := func(name, code string, more m) m {
		out := m{"name": name, "script": "quick.sh", "args": code}
		for k, v := range more {
			out[k] = v
		}
		return out
	}
	b := start(t, []map[string]any{
		quick("limit", "1", m{"max_restarts": 3, "min_uptime": "1m"}),
		quick("grown", "1 0.5", m{"max_restarts": 2, "min_uptime": 100}),
		quick("never", "1", m{"autorestart": false}),
		quick("done", "0", m{"stop_exit_codes": []any{0}}),
		quick("pause", "1", m{"restart_delay": 1500}),
		quick("backoff", "1", m{"exp_backoff_restart_delay": 300}),
		do("hungry", "memory", m{"max_memory_restart": "100M"}),
		quick("clock", "0 1000", m{"cron_restart": "*/4 * * * * *"}),
		quick("job", "0", m{"cron_restart": "*/4 * * * * *", "autorestart": false}),
		do("polite", "polite", m{"kill_timeout": 30000}),
		do("deaf", "deaf", m{"kill_timeout": 2500}),
		do("family", "child", m{"treekill": true, "kill_timeout": 20000}),
		do("message", "message", m{"shutdown_with_message": true, "kill_timeout": 20000}),
		do("ready", "ready", m{"wait_ready": true, "listen_timeout": 20000}),
		do("asleep", "wait", m{"autostart": false}),
	}, map[string]string{"quick.sh": quickTeller}, "PM2_WORKER_INTERVAL=2000")
	for _, side := range []*side{b.pm2, b.ours} {
		t.Run(side.name, func(t *testing.T) {
			t.Parallel()
			s := *side
			s.t = t
			s.life()
		})
	}
	t.Run("ends", func(t *testing.T) { t.Parallel(); b.ends(t) })
	for key, want := range map[string]string{
		"limit max_restarts": "approximated: restarts are counted for 15 minutes", "limit min_uptime": "approximated: restarts are counted for 15 minutes",
		"never autorestart": "exact", "done stop_exit_codes": "exact", "pause restart_delay": "approximated: the first restart comes at once",
		"backoff exp_backoff_restart_delay": "approximated: the first restart comes at once, and pauses double",
		"hungry max_memory_restart":         "approximated: of the whole tree of processes", "clock cron_restart": "exact", "job cron_restart": "exact",
		"polite kill_timeout": "exact", "family treekill": "exact", "message shutdown_with_message": "approximated: the message comes with SIGINT",
		"ready wait_ready": "unsupported: it counts as running at once", "ready listen_timeout": "unsupported: there is no message to wait for",
		"asleep autostart": "approximated: PM2 leaves it stopped",
	} {
		app, option, _ := strings.Cut(key, " ")
		if got := says(b.found[app], option); !strings.HasPrefix(got, want) {
			t.Errorf("%s: the import says %q, want %q", key, got, want)
		}
	}
	if f := b.found["asleep"]; f.Disabled == "" {
		t.Error("what PM2 does not start is not disabled")
	}
}

// gaps are the pauses between the starts of an application.
func (s *side) gaps(app string) []time.Duration {
	var out []time.Duration
	list := s.starts(app)
	for i := 1; i < len(list); i++ {
		out = append(out, time.Duration(list[i].At-list[i-1].At)*time.Millisecond)
	}
	return out
}

// life looks at what comes to pass by itself.
func (s *side) life() {
	s.t.Helper()
	count := func(app string) int { return len(s.starts(app)) }
	if s.until("the start", func() bool { return count("limit") > 0 }); count("limit") == 0 {
		return
	}
	s.until("three restarts", func() bool { return count("limit") == 3 })
	s.until("restarts without end of what lived long enough", func() bool { return count("grown") >= 5 })
	s.until("four starts with pauses", func() bool { return count("pause") >= 4 && count("backoff") >= 5 })
	if count("pause") < 4 || count("backoff") < 5 {
		return
	}
	if gaps := s.gaps("pause")[1:]; slices.Min(gaps) < 1400*time.Millisecond {
		s.t.Errorf("%s: restart_delay: pauses of %v", s.name, gaps)
	}
	if gaps := s.gaps("backoff"); gaps[3] < 950*time.Millisecond || gaps[1] < 280*time.Millisecond {
		s.t.Errorf("%s: exp_backoff_restart_delay: pauses of %v", s.name, gaps)
	}
	s.until("a process that can say it is ready", func() bool {
		return slices.ContainsFunc(s.lines("ready"), func(x told) bool { return x.Said == "ready" })
	})
	s.until("cron_restart of what runs", func() bool { return count("clock") >= 3 })
	s.until("cron_restart of a job", func() bool { return count("job") >= 3 })
	s.until("a restart for its memory", func() bool { return count("hungry") >= 2 })
	if n := count("limit"); n != 3 {
		s.t.Errorf("%s: max_restarts: %d starts", s.name, n)
	}
	for app, want := range map[string]int{"never": 1, "done": 1, "ready": 1, "message": 1, "asleep": 0} {
		if n := count(app); n != want {
			s.t.Errorf("%s: %s: %d starts, want %d", s.name, app, n, want)
		}
	}
}

// ends stops applications on both sides, and looks how they end.
func (b *both) ends(t *testing.T) {
	t.Helper()
	apps := []string{"polite", "deaf", "family", "message"}
	for _, s := range []*side{b.pm2, b.ours} {
		s.until("all have started", func() bool {
			return !slices.ContainsFunc(apps, func(app string) bool { return len(s.starts(app)) == 0 }) &&
				slices.ContainsFunc(s.lines("family"), func(x told) bool { return x.Child == "up" })
		})
	}
	stop := map[*side]func(string) error{
		b.pm2: func(app string) error {
			out, err := b.daemon.Try("stop", app)
			if err != nil {
				log, _ := os.ReadFile(filepath.Join(b.daemon.Home, "pm2.log"))
				err = fmt.Errorf("%w: %s; the daemon's log ends with %s", err, out, log[max(0, len(log)-1000):])
			}
			return err
		},
		b.ours: func(app string) error { return b.engine.StopPart(t.Context(), app, "a test") },
	}
	for _, s := range []*side{b.pm2, b.ours} {
		var took time.Duration
		for _, app := range apps {
			began := time.Now()
			pid := s.starts(app)[len(s.starts(app))-1].PID
			if err := stop[s](app); err != nil {
				t.Errorf("%s: stopping %s: %v", s.name, app, err)
			}
			s.until(app+" ends", func() bool { return syscall.Kill(pid, 0) != nil })
			if took = time.Since(began); app == "deaf" && took < 2400*time.Millisecond {
				t.Errorf("%s: it was killed after %s", s.name, took)
			}
		}
		for app, want := range map[string]string{"polite": "SIGINT", "deaf": "SIGINT", "family": "SIGINT child:SIGINT", "message": "shutdown"} {
			var got []string
			for _, x := range s.lines(app) {
				switch {
				case x.Signal != "":
					got = append(got, x.Signal)
				case x.Message != "":
					got = append(got, x.Message)
				case x.Child == "SIGINT":
					got = append(got, "child:SIGINT")
				}
			}
			slices.Sort(got)
			if g := strings.Join(got, " "); g != want {
				t.Errorf("%s: %s got %q, want %q", s.name, app, g, want)
			}
		}
	}
}

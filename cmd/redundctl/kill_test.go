package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine"
	"github.com/redundctl/redundctl/engine/builtin"
	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/ledger"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/store"
)

// kills is how often TestKilledAtRandom kills an engine; REDUNDCTL_KILLS asks
// for more.
const kills = 30

// busy is a project in which each second something of every kind is due. The
// steps write what they did to files, in one write each.
var busy = map[string]string{
	"redund.yaml": "version: 1\ninherit-env: [KILL_MARK]\nsystems: {pm2: {concurrency: 24}}\n",
	"pipelines/pm2/once.yaml": `version: 1
name: once
schedule: {every: 1s}
missed: run-all
steps: [{id: a, exec: [sh, -c, 'echo "$REDUND_SLOT $REDUND_FENCE" >> did-once']}]
`,
	"pipelines/pm2/retried.yaml": `version: 1
name: retried
schedule: {every: 1s}
overlap: queue
concurrency: 3
retry: {attempts: 3, delay: 50ms}
steps: [{id: a, exec: [sh, -c, '[ $REDUND_ATTEMPT -gt 1 ] && echo "$REDUND_SLOT $REDUND_FENCE" >> did-retried']}]
always: [{exec: [sh, -c, 'echo "$REDUND_SLOT $REDUND_ATTEMPT" >> always-retried']}]
`,
	"pipelines/pm2/matrix.yaml": `version: 1
name: matrix
schedule: {cron: "* * * * * *"}
overlap: allow
steps:
  - id: a
    idempotent: true
    matrix: {n: [1, 2, 3]}
    exec: [sh, -c, 'echo "$REDUND_SLOT $REDUND_FENCE $0" >> did-matrix', '${{ matrix.n }}']
`,
	"pipelines/pm2/resumed.yaml": `version: 1
name: resumed
schedule: {every: 1s}
missed: run-all
overlap: queue
concurrency: 4
steps:
  - {id: first, exec: [sh, -c, 'echo "$REDUND_SLOT $REDUND_FENCE" >> first-resumed']}
  - {id: wait, idempotent: true, exec: [sleep, "0.4"]}
  - {id: last, idempotent: true, exec: [sh, -c, 'echo "$REDUND_SLOT $REDUND_FENCE" >> did-resumed']}
`,
	"pipelines/pm2/left.yaml": `version: 1
name: left
schedule: {every: 1s}
steps: [{id: a, exec: [sh, -c, 'setsid sleep 1000 & sleep 0.3']}]
`,
	"pipelines/pm2/backed.yaml": `version: 1
name: backed
primary: {command: {run: 'case $REDUND_SLOT in *[02468]Z) ;; *) exit 1;; esac'}, every: 200ms}
grace: 300ms
schedule: {every: 1s}
missed: run-all
overlap: allow
steps: [{id: a, exec: [sh, -c, 'echo "$REDUND_SLOT $REDUND_FENCE" >> did-backed']}]
`,
	"pipelines/pm2/by-hand.yaml": `version: 1
name: by-hand
concurrency: 4
steps: [{id: a, exec: [sh, -c, 'echo $REDUND_RUN_ID >> did-by-hand; sleep 0.1']}]
`,
}

// victim is an engine that is killed again and again.
type victim struct {
	t    *testing.T
	dir  string
	env  []string
	mark string
	log  *os.File
	p    *config.Project
	acks map[int64]bool // runs by hand that were promised
}

func newVictim(t *testing.T) *victim {
	t.Helper()
	v := &victim{t: t, dir: t.TempDir(), acks: map[int64]bool{}}
	v.mark = "KILL_MARK=" + filepath.Base(filepath.Dir(v.dir)) + strconv.Itoa(os.Getpid())
	for name, text := range busy {
		v.save(name, text)
	}
	tmp := filepath.Join(v.dir, ".tmp")
	if err := os.Mkdir(tmp, 0o700); err != nil {
		t.Fatal(err)
	}
	v.env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + v.dir, "TMPDIR=" + tmp, "TZ=UTC", v.mark}
	var err error
	if v.log, err = os.Create(filepath.Join(v.dir, ".engine.out")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.log.Close() })
	v.p = config.Load(t.Context(), config.Options{Dir: v.dir, Kinds: builtin.Kinds()})
	return v
}

func (v *victim) save(name, text string) {
	path := filepath.Join(v.dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
		v.t.Error(err)
	}
}

func (v *victim) command(ctx context.Context, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, "redundctl", args...)
	c.Dir, c.Env = v.dir, v.env
	return c
}

// serve starts an engine.
func (v *victim) serve() *exec.Cmd {
	v.t.Helper()
	c := v.command(context.WithoutCancel(v.t.Context()), "serve", "--drain", "20s")
	c.Stdout, c.Stderr = v.log, v.log
	if err := c.Start(); err != nil {
		v.t.Fatal(err)
	}
	return c
}

// history reads what is recorded.
func (v *victim) history(f func(h *engine.History)) {
	v.t.Helper()
	h, err := engine.OpenHistory(v.t.Context(), v.p)
	if err != nil {
		v.t.Fatal(err)
	}
	defer h.Close()
	f(h)
}

// marked gives the processes that bear the mark, with their parents.
func (v *victim) marked() map[int]int {
	out := map[int]int{}
	list, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range list {
		env, err := os.ReadFile(dir + "/environ")
		if err != nil || !bytes.Contains(env, []byte(v.mark+"\x00")) {
			continue
		}
		stat, err := os.ReadFile(dir + "/stat")
		f := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if err != nil || len(f) < 2 || f[0] == "Z" {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(dir))
		out[pid], _ = strconv.Atoi(f[1])
	}
	return out
}

// strays are marked processes that do not descend from this one.
func (v *victim) strays(root int) (out []int) {
	all := v.marked()
	for pid := range all {
		up := pid
		for up != root && all[up] != 0 && all[up] != up {
			up = all[up]
		}
		if up != root {
			out = append(out, pid)
		}
	}
	return out
}

// besides saves files and asks for runs until it is told to stop.
func (v *victim) besides(ctx context.Context) {
	promised := regexp.MustCompile(`^run (\d+) `)
	for n := 0; ctx.Err() == nil; n++ {
		name := []string{"once", "retried", "matrix", "resumed", "left"}[n%5]
		file := "pipelines/pm2/" + name + ".yaml"
		v.save(file, busy[file]+fmt.Sprintf("description: saved %d times\n", n))
		out, err := v.command(ctx, "run", "by-hand", "--detach").Output()
		if m := promised.FindSubmatch(out); err == nil && m != nil {
			id, _ := strconv.ParseInt(string(m[1]), 10, 64)
			v.acks[id] = true
		}
		select {
		case <-ctx.Done():
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// TestKilledAtRandom kills an engine at random instants, with a fixed seed,
// while much is due and files are saved. At the end no slot is without its
// record, none ran twice, no process is left, and no run reads as running.
func TestKilledAtRandom(t *testing.T) {
	t.Parallel()
	n := kills
	if asked, err := strconv.Atoi(os.Getenv("REDUNDCTL_KILLS")); err == nil {
		n = asked
	}
	v, from := newVictim(t), time.Now()
	random := rand.New(rand.NewPCG(4, 2026))
	ctx, stop := context.WithCancel(t.Context())
	var besides sync.WaitGroup
	besides.Go(func() { v.besides(ctx) })
	for range n {
		c := v.serve()
		pause := time.Duration(random.Int64N(int64(600 * time.Millisecond)))
		<-time.After(pause)
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = c.Wait()
		if _, err := os.Stat(filepath.Join(v.p.State, "redund.db")); err != nil {
			continue // killed before it had made one
		}
		v.history(func(h *engine.History) {
			// A child that was not its own program yet holds the lease for an instant more.
			v.until("the truth about runs without an engine", time.Second, func() bool {
				list, err := h.Runs(t.Context(), history.Filter{States: []pipeline.State{pipeline.Running}})
				return err == nil && len(list) == 0
			})
		})
	}
	stop()
	besides.Wait()
	v.settle()
	v.judge()
	t.Logf("%d kills in %s, %d runs by hand promised", n, time.Since(from).Round(time.Second/10), len(v.acks))
	if t.Failed() {
		text, _ := os.ReadFile(v.log.Name())
		t.Logf("the engines said: %s", text[max(0, len(text)-4000):])
	}
}

// settle lets a last engine bring all to its end, and stops it.
func (v *victim) settle() {
	t := v.t
	t.Helper()
	c := v.serve()
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	v.until("the last engine", time.Minute, func() bool {
		return v.command(t.Context(), "status").Run() == nil
	})
	for name := range busy { // no more slots, but those that have come
		if name != "redund.yaml" {
			v.save(name, busy[name]+"enabled: false\n")
		}
	}
	v.until("an end of the slots", time.Minute, func() bool {
		out, err := v.command(t.Context(), "status").Output()
		return err == nil && strings.Count(string(out), " disabled ") == len(busy)-1
	})
	v.until("the end of all that waits", time.Minute, func() bool {
		waits := -1
		if v.open() > 0 {
			return false
		}
		v.history(func(h *engine.History) {
			owed, err := h.Owed(t.Context())
			queued, qerr := h.Queue(t.Context())
			running, rerr := h.Runs(t.Context(), history.Filter{States: []pipeline.State{pipeline.Running}})
			if errors.Join(err, qerr, rerr) == nil {
				waits = len(owed) + len(queued) + len(running)
			}
		})
		return waits == 0
	})
	if pids := v.strays(c.Process.Pid); len(pids) > 0 {
		t.Errorf("processes %v were left by engines that were killed", pids)
	}
	if out, err := v.command(t.Context(), "stop").CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	if err := <-ended; err != nil {
		t.Errorf("the last engine: %v", err)
	}
	if pids := v.marked(); len(pids) > 0 {
		t.Errorf("processes %v are left", pids)
	}
}

// open counts the slots that nobody has decided.
func (v *victim) open() int {
	db, err := store.Open(v.t.Context(), store.Options{Dir: v.p.State, ReadOnly: true})
	if err != nil {
		v.t.Fatal(err)
	}
	defer db.Close()
	list, err := ledger.New(db).Watched(v.t.Context())
	if err != nil {
		v.t.Fatal(err)
	}
	n := 0
	for _, s := range list {
		if s.Decision == "" {
			n++
		}
	}
	return n
}

// until asks again and again until it is so.
func (v *victim) until(what string, most time.Duration, so func() bool) {
	v.t.Helper()
	for end := time.Now().Add(most); !so(); <-time.After(20 * time.Millisecond) {
		if time.Now().After(end) {
			v.t.Fatalf("%s did not come to pass", what)
		}
	}
}

// TestRestartKnowsTheTruth kills an engine in the middle of ten runs: a second
// after the start of the next, it tells of each what is so.
func TestRestartKnowsTheTruth(t *testing.T) {
	v := newVictim(t)
	for name := range busy {
		if strings.HasPrefix(name, "pipelines") {
			if err := os.Remove(filepath.Join(v.dir, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	const text = "version: 1\nname: %s\noverlap: allow\nsteps: [{id: a, idempotent: %v, exec: [sleep, '1000']}]\n"
	v.save("pipelines/pm2/goes-on.yaml", fmt.Sprintf(text, "goes-on", true))
	v.save("pipelines/pm2/ends.yaml", fmt.Sprintf(text, "ends", false))
	count := func() (out map[string]int) {
		v.history(func(h *engine.History) {
			list, err := h.Runs(t.Context(), history.Filter{})
			if err != nil {
				t.Fatal(err)
			}
			out = map[string]int{}
			for _, r := range list {
				out[r.Pipeline+" "+string(r.State)]++
			}
		})
		return out
	}
	c := v.serve()
	v.until("an engine", time.Minute, func() bool { return v.command(t.Context(), "status").Run() == nil })
	var took []time.Duration
	for range 3 {
		for _, name := range []string{"goes-on", "ends"} {
			for count()[name+" running"] < 5 {
				if out, err := v.command(t.Context(), "run", name, "--detach").CombinedOutput(); err != nil {
					t.Fatalf("%v: %s", err, out)
				}
				v.until("the run", time.Minute, func() bool { return count()[name+" queued"] == 0 })
			}
		}
		ended := count()["ends failed"]
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = c.Wait()
		from := time.Now()
		c = v.serve()
		v.until("the truth", time.Minute, func() bool {
			got := count()
			return v.command(t.Context(), "status").Run() == nil && got["ends failed"] == ended+5 && got["ends running"] == 0 && got["goes-on running"] == 5
		})
		took = append(took, time.Since(from))
		if pids := v.strays(c.Process.Pid); len(pids) > 0 {
			t.Errorf("processes %v were left", pids)
		}
	}
	t.Logf("after %s", took)
	if slices.Min(took) > time.Second && !race { // a machine that others use too may be busy once, or twice
		t.Errorf("the truth was known after %s", took)
	}
	if err := c.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = c.Wait()
	v.until("an end of all processes", time.Minute, func() bool { return len(v.marked()) == 0 })
}

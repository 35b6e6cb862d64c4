package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// dueWidth is how many runs go on side by side, as `concurrency` says.
const dueWidth = 8

// lateness is how late the first and the last of those due at one second
// began, in seconds, and how many did.
type lateness struct {
	first, last float64
	n           int
}

// due compares an engine of many pipelines that are due at the same second with
// a loop that sleeps until then and starts the same programs.
func (b *bench) due() error {
	n := b.times(1000)
	name := fmt.Sprintf("%d pipelines due at one second", n)
	if !b.wants(name) {
		return nil
	}
	project := filepath.Join(b.dir, "due-project")
	stamps := filepath.Join(b.dir, "stamps")
	for i := range n {
		text := fmt.Sprintf("version: 1\nname: d-%d\nschedule: {every: 30s}\nsteps:\n  - exec: [%s, %s]\n", i, b.limit("stamp"), stamps)
		if err := write(filepath.Join(project, fmt.Sprintf("pipelines/pm2/d-%d.yaml", i)), text); err != nil {
			return err
		}
	}
	if err := write(filepath.Join(project, "redund.yaml"), fmt.Sprintf("version: 1\nconcurrency: %d\nsystems: {pm2: {concurrency: %[1]d}}\n", dueWidth)); err != nil {
		return err
	}
	var ours, limit []lateness
	for range 3 {
		x, err := b.dueEngine(project, stamps, n)
		if err != nil {
			return err
		}
		y, err := b.dueLoop(stamps, n)
		if err != nil {
			return err
		}
		ours, limit = append(ours, x), append(limit, y)
	}
	x, y := middle(ours), middle(limit)
	b.say(name+", lost", figure{float64(n - x.n), 1, 0, ""})
	b.say(name+", last begins", figure{x.last * 1000, y.last * 1000, 1.1, "ms"})
	b.say(name+", first begins", figure{x.first * 1000, 20, 1, "ms"})
	return nil
}

// middle gives the medians, and the fewest that began.
func middle(list []lateness) lateness {
	pick := func(of func(lateness) float64) float64 {
		var v []float64
		for _, x := range list {
			v = append(v, of(x))
		}
		slices.Sort(v)
		return v[len(v)/2]
	}
	out := lateness{first: pick(func(x lateness) float64 { return x.first }), last: pick(func(x lateness) float64 { return x.last }), n: list[0].n}
	for _, x := range list {
		out.n = min(out.n, x.n)
	}
	return out
}

// second waits until there is time enough before the next slot, and gives it.
func second() time.Time {
	const every = 30 * time.Second
	next := time.Now().Truncate(every).Add(every)
	if time.Until(next) < 6*time.Second {
		time.Sleep(time.Until(next) + time.Second)
		next = next.Add(every)
	}
	return next
}

func (b *bench) dueEngine(project, stamps string, n int) (lateness, error) {
	// A history would have slots that passed meanwhile, which are caught up.
	if err := os.RemoveAll(filepath.Join(project, ".redund")); err != nil {
		return lateness{}, err
	}
	slot := second()
	e, err := b.engine(project)
	if err != nil {
		return lateness{}, err
	}
	got, err := stamped(stamps, slot, n)
	return got, errors.Join(err, e.stop())
}

func (b *bench) dueLoop(stamps string, n int) (lateness, error) {
	slot := second()
	cmd := exec.Command(b.limit("due"), "-n", strconv.Itoa(n), "-j", strconv.Itoa(dueWidth), "-at", strconv.FormatInt(slot.Unix(), 10), b.limit("stamp"), stamps)
	if out, err := cmd.CombinedOutput(); err != nil {
		return lateness{}, fmt.Errorf("the loop: %w\n%s", err, out)
	}
	return stamped(stamps, slot, n)
}

// stamped waits for the stamps of a slot, a while, and removes them.
func stamped(file string, slot time.Time, n int) (lateness, error) {
	end := slot.Add(25 * time.Second)
	for {
		time.Sleep(200 * time.Millisecond)
		b, err := os.ReadFile(file)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return lateness{}, err
		}
		if bytes.Count(b, []byte("\n")) < n && time.Now().Before(end) {
			continue
		}
		var at []float64
		for line := range strings.Lines(string(b)) {
			stamp, of, _ := strings.Cut(strings.TrimSpace(line), " ")
			ns, err := strconv.ParseInt(stamp, 10, 64)
			if t, bad := time.Parse(time.RFC3339, of); err == nil && bad == nil && t.Equal(slot) {
				at = append(at, time.Unix(0, ns).Sub(slot).Seconds())
			}
		}
		if len(at) == 0 {
			return lateness{}, fmt.Errorf("no run of %s began within %s", slot, time.Since(slot))
		}
		return lateness{slices.Min(at), slices.Max(at), len(at)}, os.Remove(file)
	}
}

// engine is one that serves.
type engine struct {
	cmd  *exec.Cmd
	errs bytes.Buffer
}

// engine starts one and waits until it answers.
func (b *bench) engine(project string) (*engine, error) {
	e := &engine{cmd: exec.Command(b.redundctl, "-C", project, "serve", "--log-level", "error")}
	e.cmd.Stderr = &e.errs
	if err := e.cmd.Start(); err != nil {
		return nil, err
	}
	socket := filepath.Join(project, ".redund", "redund.sock")
	for range 600 {
		if _, err := os.Lstat(socket); err == nil {
			return e, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return nil, errors.Join(errors.New("the engine does not answer"), e.stop())
}

// stop ends it.
func (e *engine) stop() error {
	if err := e.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	if err := e.cmd.Wait(); err != nil {
		return fmt.Errorf("the engine: %w\n%s", err, e.errs.Bytes())
	}
	return nil
}

// used is the processor time that it took so far, in seconds.
func (e *engine) used() (float64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", e.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+2:]))
	user, err := strconv.ParseFloat(f[11], 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseFloat(f[12], 64)
	return (user + system) / 100, err // ticks of the clock, of which Linux tells programs 100 a second
}

// resident is the memory that it has, in MiB.
func (e *engine) resident() (float64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", e.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "Rss:"); ok {
			kb, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return kb / 1024, err
		}
	}
	return 0, errors.New("smaps_rollup names no Rss")
}

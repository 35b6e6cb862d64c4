package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// services takes how soon a process is there again that was killed, over a bare
// loop that waits and starts, and how soon a service runs whose primary is down.
func (b *bench) services() error {
	if err := b.kept(); err != nil {
		return err
	}
	return b.takeover()
}

// over is how much longer than the bare loop a restart may take, in
// milliseconds.
const over = 5.0

func (b *bench) kept() error {
	const name = "restart of a process after kill -9"
	if !b.wants(name) {
		return nil
	}
	stamps, loop := filepath.Join(b.dir, "kept"), filepath.Join(b.dir, "looped")
	project := filepath.Join(b.dir, "kept-project")
	text := fmt.Sprintf("version: 1\nname: held\nservice:\n  exec: [%s, %s]\n  restart: {min-uptime: 0, delay: 0}\n", b.limit("held"), stamps)
	if err := write(filepath.Join(project, "pipelines/pm2/held.yaml"), text); err != nil {
		return err
	}
	e, err := b.engine(project)
	if err != nil {
		return err
	}
	defer func() { _ = e.stop() }()
	bare := exec.Command(b.limit("supervise"), b.limit("held"), loop)
	if err := bare.Start(); err != nil {
		return err
	}
	defer func() { _ = bare.Wait() }()
	defer func() { _ = bare.Process.Signal(syscall.SIGTERM) }()
	var ours, limit []float64
	for range b.times(40) {
		for file, list := range map[string]*[]float64{stamps: &ours, loop: &limit} {
			took, err := killed(file)
			if err != nil {
				return err
			}
			*list = append(*list, took)
		}
	}
	slices.Sort(ours)
	slices.Sort(limit)
	middle := func(list []float64) float64 { return list[len(list)/2] * 1000 }
	fmt.Printf("%-46s %8.2fms %8.2fms\n", name, middle(ours), middle(limit))
	b.say(name+", over the loop", figure{middle(ours) - middle(limit), over, 1, "ms"})
	return nil
}

// killed kills what a file names last, and gives the seconds until another one
// has begun.
func killed(file string) (float64, error) {
	_, pid, n, err := began(file, 0)
	if err != nil {
		return 0, err
	}
	time.Sleep(500 * time.Millisecond) // it is no longer one that has just begun
	from := time.Now()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		return 0, err
	}
	at, _, _, err := began(file, n)
	return at.Sub(from).Seconds(), err
}

// began waits until more than so many lines stand in a file, and gives what the
// last one says, and how many there are.
func began(file string, more int) (at time.Time, pid, n int, err error) {
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(200 * time.Microsecond) {
		text, err := os.ReadFile(file)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return at, 0, 0, err
		}
		lines := strings.Split(string(text), "\n")
		if n = len(lines) - 1; n <= more {
			continue
		}
		nanos, word, _ := strings.Cut(lines[n-1], " ")
		began, err := strconv.ParseInt(nanos, 10, 64)
		if err != nil {
			return at, 0, 0, err
		}
		pid, err = strconv.Atoi(word)
		return time.Unix(0, began), pid, n, err
	}
	return at, 0, 0, fmt.Errorf("nothing more has begun in %s within a minute", file)
}

// primary is one that a test takes down, over HTTP.
type primary struct {
	*httptest.Server
	down atomic.Bool
}

func newPrimary() *primary {
	p := &primary{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if p.down.Load() {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	return p
}

// gone waits until a process is.
func (b *bench) gone(pid int) error {
	for end := time.Now().Add(time.Minute); syscall.Kill(pid, 0) == nil; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			return fmt.Errorf("process %d goes on after a minute", pid)
		}
	}
	return nil
}

func (b *bench) takeover() error {
	const name = "takeover of a service, p99"
	const every, failures = 200 * time.Millisecond, 2
	if !b.wants(name) {
		return nil
	}
	p := newPrimary()
	defer p.Close()
	stamps, project := filepath.Join(b.dir, "taken"), filepath.Join(b.dir, "taken-project")
	text := fmt.Sprintf("version: 1\nname: held\nprimary: {http: {url: %q}, every: %s, failures: %d, recoveries: 1}\nservice:\n  exec: [%s, %s]\n", p.URL, every, failures, b.limit("held"), stamps)
	if err := write(filepath.Join(project, "pipelines/pm2/held.yaml"), text); err != nil {
		return err
	}
	e, err := b.engine(project)
	if err != nil {
		return err
	}
	defer func() { _ = e.stop() }()
	time.Sleep(2 * every) // it was looked at
	var took []float64
	n := 0
	for i := range b.times(100) {
		time.Sleep(time.Duration(i%10) * every / 10) // at any time between two looks
		from := time.Now()
		p.down.Store(true)
		at, pid, lines, err := began(stamps, n)
		if err != nil {
			return err
		}
		took, n = append(took, at.Sub(from).Seconds()), lines
		p.down.Store(false)
		if err := b.gone(pid); err != nil {
			return err
		}
	}
	slices.Sort(took)
	b.say(name, figure{took[(len(took)*99-1)/100], (every*failures + time.Second).Seconds(), 1, "s"})
	return nil
}

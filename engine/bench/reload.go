package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// reload measures saves: how long after close(2) a file is in force, among a
// thousand and among ten thousand others.
func (b *bench) reload() error {
	if !b.wants("save") {
		return nil
	}
	for _, n := range []int{1000, 10_000} {
		if err := b.saves(n); err != nil {
			return fmt.Errorf("saves among %d files: %w", n, err)
		}
	}
	return nil
}

func (b *bench) saves(n int) (err error) {
	project := filepath.Join(b.dir, fmt.Sprintf("saves-%d", n))
	for i := range n {
		if err := write(filepath.Join(project, fmt.Sprintf("pipelines/pm2/%03d/p-%d.yaml", i/100, i)), fortyLines(i, i%24)); err != nil {
			return err
		}
	}
	cmd := exec.Command(b.redundctl, "-C", project, "serve", "--log-level", "warn")
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	defer func() {
		serr := cmd.Process.Signal(os.Interrupt)
		err = errors.Join(err, serr, cmd.Wait())
	}()
	var force, whole []float64
	for i := range b.times(200) {
		file := filepath.Join(project, fmt.Sprintf("pipelines/pm2/%03d/p-%d.yaml", i%n/100, i%n))
		if i == 0 {
			if err := b.settled(project); err != nil {
				return err
			}
		}
		text := strings.Replace(fortyLines(i%n, i%n%24), "Number", fmt.Sprintf("Save %d of number", i), 1)
		if err := write(file, text); err != nil {
			return err
		}
		closed := time.Now()
		s, err := b.taken(project, closed)
		if err != nil {
			return err
		}
		force = append(force, s.Force)
		whole = append(whole, float64(s.At.Sub(closed).Microseconds())/1000)
	}
	slices.Sort(force)
	slices.Sort(whole)
	name := fmt.Sprintf("a save among %d files", n)
	b.say(name+", after quiet, p50", figure{at(force, 50), 10, 1, "ms"})
	b.say(name+", after quiet, p99", figure{at(force, 99), 10, 1, "ms"})
	b.say(name+", after close, p50", figure{at(whole, 50), 100, 1, "ms"})
	b.say(name+", after close, p99", figure{at(whole, 99), 100, 1, "ms"})
	return nil
}

// at is a percentile of a sorted list.
func at(list []float64, percent int) float64 { return list[min(len(list)*percent/100, len(list)-1)] }

// save is what the engine says of one.
type save struct {
	At    time.Time `json:"at"`
	Force float64   `json:"force-ms"`
}

// settled waits until the engine answers and watches.
func (b *bench) settled(project string) error {
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		if _, err := b.last(project); err == nil {
			time.Sleep(2 * time.Second)
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return errors.New("the engine did not start")
}

// taken waits until a save is in force.
func (b *bench) taken(project string, closed time.Time) (save, error) {
	for end := closed.Add(20 * time.Second); time.Now().Before(end); {
		time.Sleep(100 * time.Millisecond)
		s, err := b.last(project)
		if err != nil {
			return save{}, err
		}
		if s.At.After(closed) {
			return s, nil
		}
	}
	return save{}, errors.New("it is not in force")
}

func (b *bench) last(project string) (save, error) {
	out, err := exec.Command(b.redundctl, "-C", project, "status", "-o", "json").Output()
	if err != nil {
		return save{}, err
	}
	var st struct {
		Reload struct {
			Last *save `json:"last"`
		} `json:"reload"`
	}
	if err := json.Unmarshal(out, &st); err != nil || st.Reload.Last == nil {
		return save{}, err
	}
	return *st.Reload.Last, nil
}

package main

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"time"
)

// known is how soon after its start an engine must know the true state of every
// run of one that was killed, in seconds; it is the limit of that figure.
const known = 1.0

// restart kills an engine in the middle of ten runs, again and again, and
// takes the time from the start of the next until it answers and tells none of
// them as running that is not.
func (b *bench) restart() error {
	const name = "restart after kill -9, ten runs"
	if !b.wants(name) {
		return nil
	}
	project := filepath.Join(b.dir, "restart")
	if err := write(filepath.Join(project, "pipelines/pm2/long.yaml"), "version: 1\nname: long\noverlap: allow\nsteps:\n  - exec: [sleep, \"1000\"]\n"); err != nil {
		return err
	}
	if err := write(filepath.Join(project, "redund.yaml"), "version: 1\nsystems: {pm2: {concurrency: 20}}\n"); err != nil {
		return err
	}
	r := restarted{redundctl: b.redundctl, project: project}
	if err := r.start(); err != nil {
		return err
	}
	defer func() { _ = r.kill() }()
	if err := r.wait(func() bool { return r.command("status").Run() == nil }); err != nil {
		return err
	}
	var took []float64
	for range b.times(20) {
		for range 10 {
			if out, err := r.command("run", "long", "--detach").CombinedOutput(); err != nil {
				return fmt.Errorf("asking for a run: %w\n%s", err, out)
			}
		}
		if err := r.wait(func() bool { return r.running() == 10 }); err != nil {
			return err
		}
		if err := r.kill(); err != nil {
			return err
		}
		from := time.Now()
		if err := r.start(); err != nil {
			return err
		}
		if err := r.wait(func() bool { return r.command("status").Run() == nil && r.running() == 0 }); err != nil {
			return err
		}
		took = append(took, time.Since(from).Seconds())
	}
	slices.Sort(took)
	b.say(name, figure{took[len(took)/2], known, 1, "s"})
	b.say(name+", the longest", figure{slices.Max(took), known, 1, "s"})
	return nil
}

// restarted is an engine that is killed and started again.
type restarted struct {
	redundctl, project string
	engine             *exec.Cmd
}

func (r *restarted) command(args ...string) *exec.Cmd {
	return exec.Command(r.redundctl, append([]string{"-C", r.project}, args...)...)
}

func (r *restarted) start() error {
	r.engine = r.command("serve")
	return r.engine.Start()
}

func (r *restarted) kill() error {
	if err := r.engine.Process.Kill(); err != nil {
		return err
	}
	_ = r.engine.Wait() // it was killed
	return nil
}

// running is how many runs are told to go on, -1 when nothing is told.
func (r *restarted) running() int {
	out, err := r.command("runs", "--state", "running", "-n", "1000", "-o", "json").Output()
	var list []any
	if err != nil || json.Unmarshal(out, &list) != nil {
		return -1
	}
	return len(list)
}

// wait asks until it is so, or a minute has passed.
func (r *restarted) wait(so func() bool) error {
	for end := time.Now().Add(time.Minute); !so(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			return fmt.Errorf("an engine in %s did not come to what it is measured for within a minute", r.project)
		}
	}
	return nil
}

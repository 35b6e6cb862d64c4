package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/simulate"
)

// simulated measures a year of many pipelines, hourly and less often, as the
// program simulates it on one core. Its limit is half a minute.
func (b *bench) simulated() error {
	n := b.times(500)
	name := fmt.Sprintf("a simulated year of %d pipelines", n)
	if !b.wants(name) {
		return nil
	}
	project := filepath.Join(b.dir, "simulated")
	for i := range n {
		cron := []string{"%d * * * *", "%d */2 * * *", "%d */6 * * *", "%d 3 * * *"}[i%4]
		text := fmt.Sprintf("version: 1\nname: s-%d\nprimary: {heartbeat: {}}\ngrace: auto\nschedule: {cron: \"%s\"}\nsteps:\n  - exec: [/bin/true]\n", i, fmt.Sprintf(cron, i%60))
		if err := write(filepath.Join(project, fmt.Sprintf("pipelines/pm2/s-%d.yaml", i)), text); err != nil {
			return err
		}
	}
	cmd := exec.Command(b.redundctl, "-C", project, "simulate", "--primary-loss", "0.05", "--lateness", "p50=5m,p99=3h", "-o", "json")
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("simulating a year: %w", err)
	}
	var got struct{ Slots, Missed, Doubled int }
	if err := json.Unmarshal(out, &got); err != nil {
		return fmt.Errorf("simulating a year: %w", err)
	}
	use, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return fmt.Errorf("simulating a year: the system does not say what it took")
	}
	took := time.Duration(use.Utime.Nano() + use.Stime.Nano()).Seconds()
	b.say(name+", cpu", figure{took, 30, 1, "s"})
	b.say(name+", missed", figure{float64(got.Missed), 1, 0, ""})
	fmt.Printf("%-46s %10d, %.1f µs a slot\n", name+", slots", got.Slots, took*1e6/float64(got.Slots))
	return nil
}

// learned compares a grace that is learned with one of 15 minutes, on how late
// people saw GitHub to be: how often the backup runs beside the primary, and how
// long a slot waits at most, which is a period.
func (b *bench) learned() error {
	const name = "learned grace"
	if !b.wants(name) {
		return nil
	}
	f, err := os.Open("engine/simulate/testdata/lateness.txt")
	if err != nil {
		return err
	}
	defer f.Close()
	all, err := simulate.ParseSeries(f)
	if err != nil {
		return err
	}
	total := map[bool]int{}
	for _, s := range all {
		got := map[bool]simulate.Result{}
		for _, auto := range []bool{false, true} {
			p := &pipeline.Pipeline{
				Name: s.Name, System: "github-actions", Schedule: pipeline.Schedules{{Cron: s.Cron}}, Timeout: pipeline.Duration(time.Hour),
				Grace: pipeline.Grace{Auto: auto, For: pipeline.Duration(15 * time.Minute)}, Primary: &pipeline.Primary{OnUnknown: "run"},
			}
			got[auto], err = simulate.Run(context.Background(), []*pipeline.Pipeline{p}, simulate.Options{
				From: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), Days: 365, Duration: 5 * time.Minute,
				Plan: func(string) simulate.Plan { return s.Plan() },
			})
			if err != nil {
				return err
			}
			total[auto] += got[auto].Doubled
		}
		fixed, auto := got[false], got[true]
		p50, _ := auto.Delay.P(50)
		longest, _ := auto.Delay.Max()
		fmt.Printf("%-46s %5d doubled of %d with 15m, %d learned; its delay: p50 %s, max %s\n", name+" for "+s.Name, fixed.Doubled, fixed.Slots, auto.Doubled,
			pipeline.Duration(p50.Round(time.Second)), pipeline.Duration(longest.Round(time.Second)))
	}
	b.say(name+", doubled, to those of 15m", figure{float64(total[true]), float64(total[false]), 0.25, ""})
	return nil
}

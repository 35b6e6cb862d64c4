// Command bench prints what redundctl costs as ratios to what the same work
// costs at least: small programs below limits, run in turn with redundctl in
// the same minute. Absolute times on a machine that others use too mean
// little.
//
// Use: go run ./engine/bench [-quick] [-only NAME], with bin/redundctl built.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// bench is where everything of one invocation lies.
type bench struct {
	dir       string // temporary
	redundctl string
	quick     bool
	only      string
	over      bool
}

func main() {
	b := &bench{}
	flag.StringVar(&b.redundctl, "redundctl", "bin/redundctl", "the program")
	flag.BoolVar(&b.quick, "quick", false, "a tenth of the work")
	flag.StringVar(&b.only, "only", "", "only the figures whose name holds this")
	strict := flag.Bool("strict", false, "fail when a figure does not hold")
	flag.Parse()
	if err := b.run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	if b.over && *strict {
		os.Exit(1)
	}
}

func (b *bench) run() error {
	dir, err := os.MkdirTemp("", "redundctl-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	b.dir = dir
	if b.redundctl, err = filepath.Abs(b.redundctl); err != nil {
		return err
	}
	for _, name := range []string{"floor", "spawn", "yamlnode", "due", "stamp", "held", "supervise"} {
		cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", b.limit(name), "./engine/bench/limits/"+name)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("building the limit %s: %w\n%s", name, err, out)
		}
	}
	fmt.Printf("%s, %s, %d cores; medians of runs in turn, ours / limit\n\n", runtime.Version(), runtime.GOARCH, runtime.NumCPU())
	fmt.Printf("%-46s %10s %10s %8s %8s\n", "", "ours", "limit", "ratio", "allowed")
	for _, f := range []func() error{b.start, b.validate, b.coverage, b.steps, b.workflow, b.longHistory, b.due, b.idle, b.probes, b.restart, b.reload, b.simulated, b.learned, b.services, b.functions} {
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) limit(name string) string { return filepath.Join(b.dir, name) }

func (b *bench) wants(name string) bool { return strings.Contains(name, b.only) }

// times is n, or a tenth of it.
func (b *bench) times(n int) int {
	if b.quick {
		return max(n/10, 3)
	}
	return n
}

// figure is one comparison: the ratio of ours to the limit and what it may be.
type figure struct {
	ours, limit, allowed float64
	unit                 string
}

// say prints one figure.
func (b *bench) say(name string, f figure) {
	verdict := ""
	if f.ours/f.limit > f.allowed {
		b.over = true
		verdict = "  over"
	}
	fmt.Printf("%-46s %8.2f%-2s %8.2f%-2s %8.2f %8.2f%s\n", name, f.ours, f.unit, f.limit, f.unit, f.ours/f.limit, f.allowed, verdict)
}

// start compares the start of the program, and the smallest run that is kept,
// with the floor.
func (b *bench) start() error {
	project := filepath.Join(b.dir, "one")
	if err := write(filepath.Join(project, "pipelines/pm2/one.yaml"), "version: 1\nname: one\nsteps:\n  - exec: [/bin/true]\n"); err != nil {
		return err
	}
	floor := command{argv: []string{b.limit("floor")}}
	for _, c := range []struct {
		name    string
		argv    []string
		allowed float64
	}{
		{"version", []string{b.redundctl, "version"}, 1.3},
		{"a run of one step, recorded", []string{b.redundctl, "-C", project, "run", "one"}, 3},
		{"validate of one file", []string{b.redundctl, "-C", project, "validate"}, 3},
	} {
		if !b.wants(c.name) {
			continue
		}
		ours, limit, err := pair(command{argv: c.argv}, floor, b.times(60))
		if err != nil {
			return err
		}
		b.say(c.name+", wall", figure{ours.wall * 1000, limit.wall * 1000, c.allowed, "ms"})
		b.say(c.name+", cpu", figure{ours.cpu * 1000, limit.cpu * 1000, c.allowed, "ms"})
	}
	return nil
}

// validate compares the check of many files with parsing them.
func (b *bench) validate() error {
	if !b.wants("validate") {
		return nil
	}
	n := b.times(10_000)
	project := filepath.Join(b.dir, "many")
	for i := range n {
		if err := write(filepath.Join(project, fmt.Sprintf("pipelines/pm2/%03d/p-%d.yaml", i/100, i)), fortyLines(i, i%24)); err != nil {
			return err
		}
	}
	cores := runtime.NumCPU()
	ours, limit, err := pair(
		command{argv: []string{b.redundctl, "-C", project, "validate"}},
		command{argv: []string{b.limit("yamlnode"), "-j", fmt.Sprint(cores), filepath.Join(project, "pipelines")}}, 5)
	if err != nil {
		return err
	}
	name := fmt.Sprintf("validate of %d files of 40 lines", n)
	b.say(name+", wall", figure{ours.wall, limit.wall, 2.5, "s"})
	b.say(name+", cpu", figure{ours.cpu, limit.cpu, 2.5, "s"})
	fmt.Printf("%-46s %8.1fMB, %.1f KB a file\n", name+", memory", ours.rss/1e6, ours.rss/1e3/float64(n))
	return nil
}

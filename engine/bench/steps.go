package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// steps compares runs of many steps with a bare loop that starts the same
// processes.
func (b *bench) steps() error {
	rate := map[string]float64{}
	for _, c := range []struct {
		kind  string
		n     int
		width int
		argv  []string // of the limit
	}{
		{"exec", 100, 1, []string{"/bin/true"}},
		{"exec", 1000, 1, []string{"/bin/true"}},
		{"exec", 1000, 8, []string{"/bin/true"}},
		{"exec", 10000, 1, []string{"/bin/true"}},
		{"exec", 10000, 8, []string{"/bin/true"}},
		{"run", 1000, 1, []string{"/bin/sh", "-c", ":"}},
		{"run", 1000, 8, []string{"/bin/sh", "-c", ":"}},
	} {
		name := fmt.Sprintf("%d %s steps, %d wide", c.n, c.kind, c.width)
		if !b.wants(name) || b.quick && c.n > 1000 {
			continue
		}
		project := filepath.Join(b.dir, strings.ReplaceAll(name, " ", "-"))
		if err := write(filepath.Join(project, "pipelines/pm2/many.yaml"), manySteps(c.kind, c.n, c.width)); err != nil {
			return err
		}
		runs := 5
		if c.n >= 10000 {
			runs = 3
		}
		ours, limit, err := pair(
			command{argv: []string{b.redundctl, "-C", project, "run", "many"}},
			command{argv: append([]string{b.limit("spawn"), "-n", fmt.Sprint(c.n), "-j", fmt.Sprint(c.width), "-out", filepath.Join(b.dir, "spawn.out")}, c.argv...)},
			runs)
		if err != nil {
			return err
		}
		rate[name] = float64(c.n) / ours.wall
		if c.n == 100 {
			continue
		}
		b.say(name+", cpu", figure{ours.cpu, limit.cpu, 1.25, "s"})
		b.say(name+", wall", figure{ours.wall, limit.wall, 1.4, "s"})
		if c.n == 10000 && c.width == 1 {
			b.say("rate of 100 steps over that of 10000", figure{rate["100 exec steps, 1 wide"], rate[name], 1 / 0.9, "/s"})
		}
		if err := b.history(name, project, c.n*(runs+1)); err != nil {
			return err
		}
	}
	return nil
}

// history says how much of it a step takes.
func (b *bench) history(name, project string, steps int) error {
	var size int64
	for _, f := range []string{"redund.db"} {
		info, err := os.Stat(filepath.Join(project, ".redund", f))
		if err != nil {
			return fmt.Errorf("measuring the history: %w", err)
		}
		size += info.Size()
	}
	each := float64(size) / float64(steps)
	b.say(name+", history a step", figure{each, 300, 1, "B"})
	return nil
}

func manySteps(kind string, n, width int) string {
	var s strings.Builder
	fmt.Fprintf(&s, "version: 1\nname: many\nmax-parallel: %d\ntimeout: 2h\nsteps:\n", width)
	for i := range n {
		step := "exec: [/bin/true]"
		if kind == "run" {
			step = "{run: ':', shell: sh}"
		}
		if width > 1 {
			step = "{needs: [], " + strings.Trim(step, "{}") + "}"
		}
		if i == 0 && width == 1 {
			fmt.Fprintf(&s, "  - %s\n", step)
			continue
		}
		fmt.Fprintf(&s, "  - %s\n", step)
	}
	return s.String()
}

// fortyLines is a pipeline of forty lines that uses much of the language, due
// in that hour of each day.
func fortyLines(i, hour int) string {
	return fmt.Sprintf(`version: 1
name: p-%d
description: Number %d of many, with a bit of everything.
category: bench
enabled: true
primary:
  github-workflow:
    repository: acme/site
    workflow: nightly.yml
grace: 6h
schedule:
  cron: "%d %d * * *"
  timezone: Europe/Berlin
timeout: 10m
params:
  message: {type: string, default: hello, description: The text}
env:
  SITE_URL: https://example.com
steps:
  - id: build
    name: Build the site
    run: |
      echo building "$SITE_URL"
      echo text=done >> "$REDUND_OUTPUT"
    timeout: 5m
  - id: post
    needs: [build]
    if: ${{ params.message != '' }}
    uses: http
    with:
      method: POST
      url: https://example.com/hook
      headers: {X-Run: "${{ run.id }}"}
      json: {text: "${{ steps.build.outputs.text }}", to: "${{ params.message }}"}
      expect: {status: [200, 201]}
    retry: {attempts: 3, delay: 5s, backoff: exponential}
    continue-on-error: true
on-failure:
  - uses: notify
    with:
      services: ["generic+https://example.com/hook"]
      message: ${{ pipeline.name }} failed
`, i, i, i%60, hour)
}

func write(file, text string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, []byte(text), fs.FileMode(0o644))
}

package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"
)

// idle measures an engine that has nothing to do, and what its start costs
// beside a check of the same files.
func (b *bench) idle() error {
	for _, c := range []struct {
		n     int
		allow float64 // MiB
	}{{100, 24}, {1000, 32}, {10_000, 80}} {
		name := fmt.Sprintf("idle with %d pipelines", c.n)
		if !b.wants(name) || b.quick && c.n > 1000 {
			continue
		}
		project := filepath.Join(b.dir, fmt.Sprintf("idle-%d", c.n))
		from := time.Now().UTC().Add(6 * time.Hour).Hour()
		for i := range c.n {
			// None is due soon, in no zone of Europe: the engine would have work to do.
			if err := write(filepath.Join(project, fmt.Sprintf("pipelines/pm2/%03d/p-%d.yaml", i/100, i)), fortyLines(i, (from+i%12)%24)); err != nil {
				return err
			}
		}
		start, check, err := b.begin(project, name)
		if err != nil {
			return err
		}
		if c.n == 10_000 {
			b.say(name+", start, cpu", figure{start, check, 1.2, "s"})
		}
	}
	return nil
}

// begin starts an engine several times, in turn with validate, and looks at the
// last one while it is idle.
func (b *bench) begin(project, name string) (start, check float64, err error) {
	var ours, limit []float64
	const times = 4 // the first one, which makes the history, does not count
	for i := range times {
		v, err := command{argv: []string{b.redundctl, "-C", project, "validate"}}.run()
		if err != nil {
			return 0, 0, err
		}
		e, err := b.engine(project)
		if err != nil {
			return 0, 0, err
		}
		used, err := e.used()
		if i > 0 {
			ours, limit = append(ours, used), append(limit, v.cpu)
		}
		if err == nil && i == times-1 {
			err = b.rest(e, name)
		}
		if err = errors.Join(err, e.stop()); err != nil {
			return 0, 0, err
		}
	}
	slices.Sort(ours)
	slices.Sort(limit)
	return ours[len(ours)/2], limit[len(limit)/2], nil
}

// rest looks at an engine that has nothing to do.
func (b *bench) rest(e *engine, name string) error {
	const settle, span = 10 * time.Second, 20 * time.Second
	time.Sleep(settle)
	before, err := e.used()
	if err != nil {
		return err
	}
	time.Sleep(span)
	after, err := e.used()
	if err != nil {
		return err
	}
	size, err := e.resident()
	if err != nil {
		return err
	}
	allowed := map[string]float64{"idle with 100 pipelines": 24, "idle with 1000 pipelines": 32, "idle with 10000 pipelines": 80}[name]
	b.say(name+", resident", figure{size, allowed, 1, "Mi"})
	b.say(name+", cpu of a core", figure{(after - before) / span.Seconds() * 100, 0.5, 1, "%"})
	return nil
}

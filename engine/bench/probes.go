package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"
)

// probes measures an engine that asks 500 primaries each minute, for a slot of
// each of them that is open.
func (b *bench) probes() error {
	const name, n = "500 primaries asked each minute", 500
	if !b.wants(name) {
		return nil
	}
	project := filepath.Join(b.dir, "probes")
	due := time.Now().UTC().Add(90 * time.Second).Truncate(time.Minute) // after the start of the engine
	for i := range n {
		text := fmt.Sprintf("version: 1\nname: p-%d\nsystem: pm2\nprimary: {file: {path: done-%d}, every: 1m}\ngrace: 12h\nschedule: {cron: %q}\nsteps: [{exec: [\"true\"]}]\n",
			i, i, due.Format("4 15 * * *"))
		if err := write(filepath.Join(project, fmt.Sprintf("pipelines/pm2/p-%d.yaml", i)), text); err != nil {
			return err
		}
	}
	e, err := b.engine(project)
	if err != nil {
		return err
	}
	const settle, span = 5 * time.Second, 60 * time.Second
	time.Sleep(time.Until(due) + settle)
	before, err := e.used()
	if err == nil {
		time.Sleep(span)
		var after float64
		if after, err = e.used(); err == nil {
			b.say(name+", cpu of a core", figure{(after - before) / span.Seconds() * 100, 5, 1, "%"})
		}
	}
	return errors.Join(err, e.stop())
}

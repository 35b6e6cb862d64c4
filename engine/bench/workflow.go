package main

import (
	"fmt"
	"path/filepath"
	"strings"
)

// workflow compares a workflow of 100 trivial `run:` steps with the same steps
// as a pipeline: the same shell, the same scripts, one after another.
func (b *bench) workflow() error {
	const name, n = "100 run steps of a workflow", 100
	if !b.wants(name) {
		return nil
	}
	var flow, pipeline strings.Builder
	flow.WriteString("on: workflow_dispatch\njobs:\n  many:\n    runs-on: ubuntu-latest\n    defaults: {run: {shell: sh}}\n    steps:\n")
	pipeline.WriteString("version: 1\nname: many\nsteps:\n")
	for range n {
		flow.WriteString("      - run: ':'\n")
		pipeline.WriteString("  - {run: ':', shell: sh}\n")
	}
	project := filepath.Join(b.dir, "workflow")
	for file, text := range map[string]string{
		".github/workflows/many.yml": flow.String(),
		"pipelines/pm2/many.yaml":    pipeline.String(),
		"pipelines/pm2/flow.yaml":    "version: 1\nname: flow\nsteps:\n  - uses: github/workflow\n    with: {file: .github/workflows/many.yml}\n",
	} {
		if err := write(filepath.Join(project, file), text); err != nil {
			return err
		}
	}
	run := func(name string) command { return command{argv: []string{b.redundctl, "-C", project, "run", name}} }
	ours, limit, err := pair(run("flow"), run("many"), 15)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	b.say(name+", wall", figure{ours.wall, limit.wall, 1.3, "s"})
	return nil
}

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"

	"github.com/redundctl/redundctl/engine/bench/site"
)

// The sizes of a large repository, and what `coverage` and `import` may take on
// it.
const (
	manyWorkflows, manyFunctions = 1500, 750
	longest                      = 5.0       // seconds
	largest                      = 300 << 20 // bytes
)

// coverage measures import, coverage and drift over a repository of many
// workflows and functions, some of them broken.
func (b *bench) coverage() error {
	if !b.wants("coverage") {
		return nil
	}
	project := filepath.Join(b.dir, "site")
	if err := site.Make(project, manyWorkflows, manyFunctions); err != nil {
		return err
	}
	run := func(args ...string) command {
		return command{argv: append([]string{b.redundctl, "-C", project}, args...)}
	}
	size := fmt.Sprintf("%d workflows, %d functions", manyWorkflows, manyFunctions)
	for _, s := range []struct {
		name string
		run  command
		once bool // it writes
	}{
		{"coverage, nothing imported", run("coverage", "-o", "json"), false},
		{"import of workflows", run("import", "actions", filepath.Join(project, ".github/workflows")), true},
		{"import of functions", run("import", "netlify", filepath.Join(project, "netlify/functions")), true},
		{"coverage, all imported", run("coverage", "-o", "json"), false},
		{"drift", run("drift", "-o", "json"), false},
		{"validate after it", run("validate"), false},
	} {
		times := 3
		if s.once {
			times = 1
		}
		var list []figures
		for range times {
			f, err := s.run.judge()
			if err != nil {
				return err
			}
			if f.wall == 0 || f.rss == 0 {
				return fmt.Errorf("nothing was measured of %v", s.run.argv)
			}
			list = append(list, f)
		}
		f := median(list)
		b.say("coverage: "+s.name+", wall", figure{f.wall, longest, 1, "s"})
		b.say("coverage: "+s.name+", memory", figure{f.rss / (1 << 20), largest / (1 << 20), 1, "Mi"})
	}
	written, err := filepath.Glob(filepath.Join(project, "pipelines/*/*.yaml"))
	if err != nil {
		return err
	}
	fmt.Printf("%-46s %s, %d of them as pipelines\n", "coverage: the repository", size, len(written))
	// One in thirty workflows and one in twenty-five functions are broken.
	if want := (manyWorkflows+manyFunctions)*9/10 - 1; len(written) < want {
		return fmt.Errorf("import wrote %d pipelines, not %d", len(written), want)
	}
	return nil
}

// judge is run for a command that may find something bad: that is exit code 1,
// and a crash is none.
func (c command) judge() (figures, error) {
	f, err := c.run()
	var ended *exec.ExitError
	if errors.As(err, &ended) && ended.ExitCode() == 1 && !bytes.Contains([]byte(err.Error()), []byte("goroutine ")) {
		err = nil
	}
	return f, err
}

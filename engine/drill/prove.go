package drill

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/loaded"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/work"
)

// longest bounds one proof.
const longest = time.Minute

// checks are projects with their outside looked at again, by the set that they
// were loaded with: one look serves all that is due at one moment.
type checks map[*loaded.Set]*config.Project

// rules are the problems that `validate` only warns of, since they depend on
// this machine, and that keep a backup from working.
func rules() []string {
	return []string{"missing-secret", "missing-program", "missing-script", "missing-directory"}
}

// prove says why the backup would not work; nil: it would, as far as can be
// known without running it.
func (d *Drills) prove(ctx context.Context, set *loaded.Set, p *pipeline.Pipeline, c checks) error {
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	project := c[set]
	if project == nil {
		project = set.Project.Again(ctx, config.Change{Paths: []string{}, Outside: true})
		c[set] = project
	}
	var lacks []string
	for _, x := range project.Problems {
		if x.File == p.File && slices.Contains(rules(), x.Rule) && !slices.Contains(lacks, x.Message) {
			lacks = append(lacks, x.Message)
		}
	}
	if len(lacks) > 0 {
		return errors.New(strings.Join(lacks, "; "))
	}
	q, err := d.o.Worker.Request(set, work.Ask{Pipeline: p, Trigger: "drill", Env: map[string]string{"REDUND_DRILL": "true"}})
	if err != nil {
		return err
	}
	got, err := d.o.Worker.Plan(ctx, q)
	if err == nil {
		err = got.Err
	}
	if err != nil {
		err = errors.New(strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return err
}

package report

import (
	"context"
	"fmt"
	"time"

	"github.com/redundctl/redundctl/engine/failover"
	"github.com/redundctl/redundctl/engine/ledger"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// Note is what somebody should look at about the primary of a pipeline.
type Note struct {
	System   string `json:"system"`
	Pipeline string `json:"pipeline"`
	Message  string `json:"message"`
}

// Notes gives what the ledger shows of the primaries of pipelines: a fixed
// grace that is shorter than they need, and those of which nothing is known.
func Notes(ctx context.Context, l *ledger.Ledger, list []*pipeline.Pipeline) ([]Note, error) {
	notes := []Note{}
	probes, err := l.Probes(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range list {
		if p.Primary == nil || !p.Enabled {
			continue
		}
		if x, ok := probes[p.ID()]; ok && x.Verdict == pipeline.Unknown {
			notes = append(notes, Note{p.System, p.Name, unknown(&x)})
		}
		if p.Grace.Auto || p.Mode != pipeline.Standby || p.Service != nil {
			continue
		}
		late, _, err := l.Learned(ctx, p.ID())
		if err != nil {
			return nil, err
		}
		if usually, short := failover.Short(p.Grace.For.Std(), late); short {
			notes = append(notes, Note{p.System, p.Name, fmt.Sprintf("grace is %s, but of the last %d runs of its primary 1 in 100 was %s late or more: the backup runs beside it then; `grace: auto` follows what is seen",
				p.Grace.For, len(late), pipeline.Duration(usually.Round(time.Second)))})
		}
	}
	return notes, nil
}

// unknown says since when nothing is known of a primary.
func unknown(p *ledger.Probe) string {
	line := "its primary cannot be looked at since " + instant(p.Since)
	if !p.Known {
		line = "nothing was ever known of its primary"
	}
	if p.Why != "" {
		line += ": " + p.Why
	}
	return line
}

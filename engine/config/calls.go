package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/redundctl/redundctl/engine/config/check"
	"github.com/redundctl/redundctl/engine/config/mistake"
	"github.com/redundctl/redundctl/engine/config/needs"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// checkCalls holds that pipelines which steps run are there, take what they are
// given, and do not run each other in a circle.
func (l *loader) checkCalls() {
	all := map[string]*check.File{}  // those that run others, by the id of their pipeline
	reached := map[string][]string{} // by id, the ids that it runs
	via := map[[2]string]check.Call{}
	for _, f := range l.loaded {
		if f.Pipeline == nil || len(f.Calls) == 0 {
			continue
		}
		from := f.Pipeline.ID()
		all[from] = f
		for _, c := range f.Calls {
			if to := l.checkCall(f, c); to != nil {
				reached[from] = append(reached[from], to.ID())
				via[[2]string{from, to.ID()}] = c
			}
		}
	}
	var ids []string
	for id := range reached {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, circle := range needs.Circles(ids, func(id string) []string { return reached[id] }) {
		f, c := all[circle[0]], via[[2]string{circle[0], circle[1%len(circle)]}]
		f.Late(check.Below(c.At, "with", "name"), "cycle",
			"the pipelines run each other in a circle: "+strings.Join(needs.Shortened(append(circle, circle[0])), " → "), "take one of these steps out")
		for _, id := range circle {
			all[id].Because = append(all[id].Because, f.Name)
		}
	}
	for _, f := range l.loaded {
		if f.Pipeline != nil && len(f.Calls) > 0 && (f.Bad() || f.Because != nil) {
			l.reject(f, f.Pipeline.Name)
		}
	}
}

// checkCall gives the pipeline that a step runs, or nil and a problem.
func (l *loader) checkCall(f *check.File, c check.Call) *pipeline.Pipeline {
	at := check.Below(c.At, "with")
	switch found := l.meant(c.To); {
	case len(found) == 1:
		if params, ok := c.Step.With["params"].(map[string]any); ok || c.Step.With["params"] == nil {
			f.CheckGift(check.Gift{To: "the pipeline " + found[0].ID(), What: "param", Declared: found[0].Params, Values: params, At: check.Below(at, "params"), Missing: check.Below(at, "name")})
		}
		return found[0]
	case len(found) > 1:
		f.Late(check.Below(at, "name"), "ambiguous-name", fmt.Sprintf("the name %q means %s and %s", c.To, found[0].ID(), found[1].ID()), "write system/name")
	case l.Rejected(c.To) == nil:
		hint := "redundctl list shows those that there are"
		if l.unknown++; l.unknown <= mistake.Most { // to look for what was meant takes time
			var known []string
			for _, p := range l.Pipelines {
				known = append(known, p.Name)
			}
			hint = mistake.Choice(c.To, known)
		}
		f.Late(check.Below(at, "name"), "unknown-pipeline", fmt.Sprintf("there is no pipeline %q", c.To), hint)
	}
	return nil
}

// meant is Find while pipelines are put together.
func (l *loader) meant(name string) []*pipeline.Pipeline {
	if l.names == nil {
		l.names = make(map[string][]*pipeline.Pipeline, len(l.Pipelines))
		for _, p := range l.Pipelines {
			l.names[p.Name] = append(l.names[p.Name], p)
		}
	}
	for _, n := range []string{name, pipeline.Kebab(name)} {
		bare := n[strings.LastIndex(n, "/")+1:]
		if found := among(l.names[bare], n); found != nil {
			return found
		}
	}
	return nil
}

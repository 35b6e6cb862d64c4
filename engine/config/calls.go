package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/redundctl/redundctl/engine/config/mistake"
	"github.com/redundctl/redundctl/engine/config/needs"
	"github.com/redundctl/redundctl/engine/config/shape"
	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// call is a step that runs another pipeline.
type call struct {
	at   []any // of the step
	step *pipeline.Step
	to   string
}

// calls are the steps of a pipeline that run others which are written out, in
// order.
func calls(p *pipeline.Pipeline) []call {
	var out []call
	for _, list := range shape.ListNames() {
		steps := shape.List(p, list)
		for i := range steps {
			s := &steps[i]
			if name, ok := s.With["name"].(string); s.Uses == "pipeline" && ok && !strings.Contains(name, "${{") {
				out = append(out, call{at: place(list, i), step: s, to: name})
			}
		}
	}
	return out
}

// checkCalls holds that pipelines which steps run are there, take what they are
// given, and do not run each other in a circle. all are the files by the id of
// their pipeline.
func (l *loader) checkCalls(all map[string]*file) {
	reached := map[string][]string{} // by id, the ids that it runs
	via := map[[2]string]call{}
	for _, p := range l.Pipelines {
		for _, c := range calls(p) {
			if to := all[p.ID()].checkCall(c); to != nil {
				reached[p.ID()] = append(reached[p.ID()], to.ID())
				via[[2]string{p.ID(), to.ID()}] = c
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
		f.text()
		f.say(f.source.At(below(c.at, "with", "name")), diag.Error, "cycle",
			"the pipelines run each other in a circle: "+strings.Join(needs.Shortened(append(circle, circle[0])), " → "), "take one of these steps out")
		for _, id := range circle {
			all[id].because = append(all[id].because, f.Name)
		}
	}
	for _, f := range l.loaded {
		if f.pipeline != nil && (f.bad() || f.because != nil) {
			f.reject(f.pipeline.Name)
		}
	}
}

// checkCall gives the pipeline that a step runs, or nil and a problem.
func (f *file) checkCall(c call) *pipeline.Pipeline {
	at := below(c.at, "with")
	switch found := f.Find(c.to); {
	case len(found) == 1:
		if params, ok := c.step.With["params"].(map[string]any); ok || c.step.With["params"] == nil {
			f.checkGift(gift{to: "the pipeline " + found[0].ID(), what: "param", declared: found[0].Params, values: params, at: below(at, "params"), missing: below(at, "name")})
		}
		return found[0]
	case len(found) > 1:
		f.text()
		f.say(f.source.At(below(at, "name")), diag.Error, "ambiguous-name", fmt.Sprintf("the name %q means %s and %s", c.to, found[0].ID(), found[1].ID()), "write system/name")
	case f.Rejected(c.to) == nil:
		hint := "redundctl list shows those that there are"
		if f.unknown++; f.unknown <= mistake.Most { // to look for what was meant takes time
			var known []string
			for _, p := range f.Pipelines {
				known = append(known, p.Name)
			}
			hint = mistake.Choice(c.to, known)
		}
		f.text()
		f.say(f.source.At(below(at, "name")), diag.Error, "unknown-pipeline", fmt.Sprintf("there is no pipeline %q", c.to), hint)
	}
	return nil
}

package survey

import (
	"fmt"
	"slices"
	"strings"

	"github.com/redundctl/redundctl/engine/expr"
	"github.com/redundctl/redundctl/engine/kind/github/workflow"
)

// Blocked is one thing that cannot run here.
type Blocked struct {
	File         string
	Line, Column int
	Job          string // "": the file
	Step         string // its label; "": the whole job
	Why          string
	// Given reports that what fails with it is let pass: continue-on-error.
	Given bool
}

// String is one line with the place.
func (b Blocked) String() string {
	f := workflow.Fault{File: b.File, Line: b.Line, Column: b.Column, Message: b.Why}
	return f.Error()
}

// Blocked are the parts that cannot run here when the workflow runs for an
// event ("": for any), in the order of the file. Jobs and steps are left out
// whose condition rules the event out.
func (s *Survey) Blocked(event string) (out []Blocked) {
	return s.blockedIn(s.File, event, 0)
}

// deepest is how deep GitHub lets workflows and actions use others.
const deepest = 10

func (s *Survey) blockedIn(f *workflow.File, event string, depth int) (out []Blocked) {
	gone := map[string]bool{}
	for _, j := range f.Jobs {
		need := slices.ContainsFunc(j.Needs, func(id string) bool { return gone[id] })
		if ruledOut(j.If, event) || need && !anyway(j.If) {
			gone[j.ID] = true
			continue
		}
		given := j.Continue.Value == "true"
		if r := j.Cannot; r.Text != "" {
			out = append(out, Blocked{File: f.Path, Line: r.Line, Column: r.Column, Job: j.ID, Why: r.Text, Given: given})
			continue
		}
		if uses := j.Uses.Value; workflow.Local(uses) {
			at := Blocked{File: f.Path, Line: j.Uses.Line, Column: j.Uses.Column, Job: j.ID, Given: given}
			called := s.files[uses]
			switch {
			case s.broken[uses] != nil:
				at.Why = fmt.Sprintf("jobs.%s.uses: %v", j.ID, s.broken[uses])
				out = append(out, at)
			case called == nil || depth >= deepest:
				at.Why = "jobs." + j.ID + ".uses: workflows call each other too deeply"
				out = append(out, at)
			case called.Call == nil:
				at.Why = "jobs." + j.ID + ".uses: " + called.Path + " has no on.workflow_call"
				out = append(out, at)
			default:
				for _, b := range s.blockedIn(called, event, depth+1) {
					b.Given = b.Given || given
					out = append(out, b)
				}
			}
			continue
		}
		for _, b := range s.steps(within{file: f.Path, job: j.ID, event: event}, j.Steps) {
			b.Given = b.Given || given
			out = append(out, b)
		}
	}
	return out
}

// within is where steps stand.
type within struct {
	file, job, event string
	depth            int
}

func (s *Survey) steps(at within, steps []*workflow.Step) (out []Blocked) {
	for _, x := range steps {
		if ruledOut(x.If, at.event) {
			continue
		}
		b := Blocked{File: at.file, Line: x.Line, Column: x.Column, Job: at.job, Step: x.Label(), Given: x.Continue.Value == "true"}
		uses := x.Uses.Value
		switch {
		case x.Cannot.Text != "":
			b.Line, b.Column, b.Why = x.Cannot.Line, x.Cannot.Column, x.Cannot.Text
		case !workflow.Local(uses):
			continue
		case s.broken[uses] != nil:
			b.Line, b.Column, b.Why = x.Uses.Line, x.Uses.Column, fmt.Sprintf("uses: %v", s.broken[uses])
		default:
			a := s.actions[uses]
			if a == nil || at.depth >= deepest {
				b.Why = "uses: actions use each other too deeply"
				break
			}
			if a.Cannot.Text != "" {
				b.File, b.Line, b.Column, b.Why = a.Path, a.Cannot.Line, a.Cannot.Column, a.Cannot.Text
				break
			}
			for _, in := range s.steps(within{file: a.Path, job: at.job, event: at.event, depth: at.depth + 1}, a.Steps) {
				in.Given = in.Given || b.Given
				out = append(out, in)
			}
			continue
		}
		out = append(out, b)
	}
	return out
}

// ruledOut reports whether a condition that asks for nothing but the name of the
// event is surely false for this one.
func ruledOut(cond workflow.Text, event string) bool {
	if strings.TrimSpace(cond.Value) == "" || event == "" && cond.Value != "false" {
		return false
	}
	t, err := workflow.Condition(cond.Value)
	if err != nil {
		return false
	}
	for _, r := range t.Refs() {
		if r.Root != "github" || len(r.Path) != 1 || !strings.EqualFold(r.Path[0], "event_name") {
			return false
		}
	}
	if t.Calls("hashFiles") || t.Calls("failure") || t.Calls("cancelled") {
		return false
	}
	ok, err := t.Truth(&expr.Env{Contexts: map[string]any{"github": map[string]any{"event_name": event}}, Status: expr.Status{Success: true}})
	return err == nil && !ok
}

// anyway reports whether a job may run though one that it needs was skipped.
func anyway(cond workflow.Text) bool {
	t, err := workflow.Condition(cond.Value)
	return err == nil && workflow.Asks(t)
}

package workflow

import (
	"cmp"
	"slices"

	"github.com/rhysd/actionlint"
)

const byHand = "here the schedule of the pipeline or a person starts the workflow, and what the event would hold is empty"

// event takes one entry of `on`.
func (t *translator) event(e actionlint.Event) {
	if e == nil {
		return
	}
	switch x := e.(type) {
	case *actionlint.ScheduledEvent:
		if x == nil {
			return
		}
		t.exact("on.schedule", x.Pos)
		for _, s := range x.Schedules {
			if s != nil && s.Cron != nil {
				c := Cron{Cron: t.text(s.Cron)}
				if s.Timezone != nil {
					c.Timezone = s.Timezone.Value
					t.exact("on.schedule.timezone", s.Timezone.Pos)
				}
				t.file.Crons = append(t.file.Crons, c)
			}
		}
	case *actionlint.WorkflowDispatchEvent:
		if x == nil {
			return
		}
		t.exact("on.workflow_dispatch", x.Pos)
		t.dispatch(x)
	case *actionlint.WorkflowCallEvent:
		if x == nil {
			return
		}
		t.exact("on.workflow_call", x.Pos)
		t.called(x)
	case *actionlint.WebhookEvent:
		if x == nil || x.Hook == nil {
			return
		}
		t.like("on."+x.Hook.Value, x.Hook.Pos, byHand)
		t.filters(x)
	case *actionlint.RepositoryDispatchEvent:
		if x == nil {
			return
		}
		t.like("on.repository_dispatch", x.Pos, byHand)
	case *actionlint.ImageVersionEvent:
		if x == nil {
			return
		}
		t.like("on.image_version", x.Pos, byHand)
	}
	t.file.Events = append(t.file.Events, e.EventName())
}

const noFilter = "not asked: whoever runs the workflow here has decided to"

func (t *translator) filters(x *actionlint.WebhookEvent) {
	under := "on." + x.Hook.Value + "."
	if len(x.Types) > 0 {
		t.like(under+"types", x.Types[0].Pos, noFilter)
	}
	if len(x.Workflows) > 0 {
		t.like(under+"workflows", x.Workflows[0].Pos, noFilter)
	}
	for _, f := range []*actionlint.WebhookEventFilter{x.Branches, x.BranchesIgnore, x.Tags, x.TagsIgnore, x.Paths, x.PathsIgnore} {
		if f != nil && f.Name != nil {
			t.like(under+f.Name.Value, f.Name.Pos, noFilter)
		}
	}
}

func (t *translator) dispatch(x *actionlint.WorkflowDispatchEvent) {
	for _, d := range x.Inputs {
		if d == nil || d.Name == nil {
			continue
		}
		in := Input{Name: d.Name.Value, Type: dispatchType(d.Type), Required: d.Required != nil && d.Required.Value, Default: t.text(d.Default)}
		for _, o := range d.Options {
			in.Options = append(in.Options, o.Value)
		}
		t.exact("on.workflow_dispatch.inputs", d.Name.Pos)
		t.file.Inputs = append(t.file.Inputs, in)
	}
	slices.SortFunc(t.file.Inputs, func(a, b Input) int { return cmp.Compare(a.Name, b.Name) })
}

func dispatchType(t actionlint.WorkflowDispatchEventInputType) string {
	switch t {
	case actionlint.WorkflowDispatchEventInputTypeBoolean:
		return "boolean"
	case actionlint.WorkflowDispatchEventInputTypeNumber:
		return "number"
	case actionlint.WorkflowDispatchEventInputTypeChoice:
		return "choice"
	case actionlint.WorkflowDispatchEventInputTypeEnvironment:
		return "environment"
	}
	return "string"
}

func (t *translator) called(x *actionlint.WorkflowCallEvent) {
	c := &Called{}
	for _, d := range x.Inputs {
		if d == nil || d.Name == nil {
			continue
		}
		in := Input{Name: d.Name.Value, Type: "string", Required: d.IsRequired(), Default: t.text(d.Default)}
		switch d.Type {
		case actionlint.WorkflowCallEventInputTypeBoolean:
			in.Type = "boolean"
		case actionlint.WorkflowCallEventInputTypeNumber:
			in.Type = "number"
		}
		t.exact("on.workflow_call.inputs", d.Name.Pos)
		c.Inputs = append(c.Inputs, in)
	}
	for name, s := range x.Secrets {
		c.Secrets = append(c.Secrets, name)
		if s != nil && s.Name != nil {
			t.exact("on.workflow_call.secrets", s.Name.Pos)
		}
	}
	slices.Sort(c.Secrets)
	for _, o := range x.Outputs {
		if o != nil && o.Name != nil {
			t.exact("on.workflow_call.outputs", o.Name.Pos)
			c.Outputs = append(c.Outputs, Var{Name: o.Name.Value, Value: t.text(o.Value)})
		}
	}
	inOrder(c.Outputs)
	t.file.Call = c
}

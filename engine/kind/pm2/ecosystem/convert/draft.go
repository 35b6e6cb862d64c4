package convert

import (
	"strconv"
	"strings"
	"time"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/kind/pm2/ecosystem/literal"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/schedule"
)

// options goes through all of them, and makes the draft.
func (a *app) options() {
	a.schedule()
	a.place()
	a.command()
	if a.out.Broken != "" {
		a.out.Constructs = nil
		return
	}
	a.copies()
	a.environment()
	a.user()
	draft := kind.Map{
		{Key: "description", Value: unread("The application " + a.out.Primary + " of PM2, as " + a.File + " has it.")},
	}
	if v := a.get("namespace"); truthy(v) && v.Show() != "default" {
		draft = append(draft, kind.Field{Key: "category", Value: unread(v.Show())})
		a.say("namespace", kind.Approximated, "it stands as the category")
	} else {
		a.exact("namespace")
	}
	draft = append(draft,
		kind.Field{Key: "primary", Value: kind.Map{{Key: "pm2", Value: kind.Map{{Key: "process", Value: Process(a.out.Primary)}}}}},
		kind.Field{Key: "mode", Value: "standby"},
	)
	if a.scheduled {
		draft = append(draft, a.timing()...)
	}
	body := a.work()
	if len(a.inherited) > 0 {
		draft = append(draft, kind.Field{Key: "inherit-env", Value: texts(a.inherited)})
	}
	if len(a.env) > 0 {
		draft = append(draft, kind.Field{Key: "env", Value: a.env})
	}
	if len(a.out.Secrets) > 0 {
		draft = append(draft, kind.Field{Key: "secrets", Value: texts(a.out.Secrets)})
	}
	switch dir := a.inside(a.dir); {
	case dir == ".":
	case strings.Contains(dir, "${{"):
		a.disable("no pipeline can name its folder, %s", dir)
	default:
		draft = append(draft, kind.Field{Key: "working-directory", Value: dir})
	}
	a.out.Draft = append(draft, body)
	a.rest()
	a.order()
}

func texts(list []string) []any {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}

// schedule reads cron_restart, and whether it is that of a job.
func (a *app) schedule() {
	v := a.get("cron_restart")
	if v == nil || v.Show() == "0" || v.Show() == "" {
		a.exact("cron_restart")
		return
	}
	auto := a.get("autorestart")
	a.scheduled = auto != nil && (auto.Kind == literal.Bool && !auto.Bool || auto.Show() == "false")
	if v.Kind != literal.String || v.Parts != nil {
		a.say("cron_restart", kind.Unsupported, "it takes running the file to know it")
		a.disable("it takes running %s to know the schedule", a.File)
		return
	}
	a.cronText = strings.Join(strings.Fields(v.Text), " ")
	o := a.opts["cron_restart"]
	if _, err := schedule.Parse(a.wanted()); err != nil {
		reason := "PM2's schedule " + strconv.Quote(a.cronText) + " cannot be kept here: " + oneLine(err.Error())
		a.say("cron_restart", kind.Unsupported, reason)
		a.disable("%s", reason)
		a.cronText = ""
		return // what is no schedule here cannot drift
	} else if !a.scheduled {
		a.recycled()
	} else if a.Host.Zone == "" {
		a.say("cron_restart", kind.Approximated, "in UTC, for the time zone of this machine is not known: PM2 takes that")
	} else {
		a.exact("cron_restart")
	}
	if a.scheduled {
		a.out.Schedules = []kind.Due{{Cron: strings.Join(strings.Fields(v.Text), " "), Timezone: a.zone(), Local: true, File: a.File, Line: o.line}}
	}
}

// recycled is the schedule of a service, which knows no time zone but UTC.
func (a *app) recycled() {
	if a.zone() == "" || a.zone() == "UTC" {
		a.exact("cron_restart")
		return
	}
	a.say("cron_restart", kind.Approximated, "in UTC; PM2 takes the time zone of its machine, "+a.zone())
}

func (a *app) zone() string {
	switch a.Host.Zone {
	case "UTC", "Etc/UTC", "Etc/UCT", "Zulu", "Etc/Zulu", "Universal", "GMT", "Etc/GMT":
		return ""
	}
	return a.Host.Zone
}

func (a *app) wanted() pipeline.Schedule {
	zone := a.zone()
	if zone == "" {
		zone = "UTC"
	}
	return pipeline.Schedule{Cron: a.cronText, Timezone: zone, DST: pipeline.DST{Gap: "shift", Fold: "first"}}
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// timing are the keys of a job: PM2 ends a run that is still going on when the
// next is due.
func (a *app) timing() kind.Map {
	var out kind.Map
	period := time.Duration(0)
	if a.cronText != "" {
		when := kind.Map{{Key: "cron", Value: a.cronText}}
		zone := a.wanted().Timezone
		comment := "PM2 takes the time zone of its machine"
		if a.Host.Zone == "" {
			comment += ", which is not known: say which it is"
		}
		when = append(when, kind.Field{Key: "timezone", Value: zone, Comment: comment})
		out = append(out, kind.Field{Key: "schedule", Value: when})
		if s, err := schedule.Parse(a.wanted()); err == nil {
			period = s.Shortest(time.Now())
		}
	}
	out = append(out, kind.Field{Key: "overlap", Value: "cancel-running", Comment: "as PM2 does"})
	if period > 0 && period < time.Hour {
		out = append(out, kind.Field{Key: "covers", Value: "since"})
		if grace := max(period/3, time.Minute).Truncate(time.Minute); grace < 15*time.Minute {
			out = append(out, kind.Field{Key: "grace", Value: span(grace)})
		}
	}
	return append(out, kind.Field{Key: "timeout", Value: "1h", Comment: "PM2 has none"})
}

// work is `service`, or `steps`.
func (a *app) work() kind.Field {
	restart, stop := a.restarts(), a.ending()
	limit := a.memory()
	a.readiness()
	if a.scheduled {
		step := kind.Map{{Key: "id", Value: "run"}, {Key: "exec", Value: a.argv}}
		if limit > 0 {
			step = append(step, kind.Field{Key: "memory-limit", Value: size(limit)})
		}
		return kind.Field{Key: "steps", Value: []any{step}}
	}
	service := kind.Map{{Key: "exec", Value: a.argv}, {Key: "restart", Value: restart}}
	if limit > 0 {
		service = append(service, kind.Field{Key: "memory-limit", Value: size(limit)})
	}
	if a.cronText != "" {
		service = append(service, kind.Field{Key: "cron-restart", Value: a.cronText})
	}
	service = append(service, kind.Field{Key: "stop", Value: stop})
	if a.instances > 1 {
		service = append(service, kind.Field{Key: "instances", Value: a.instances})
	}
	return kind.Field{Key: "service", Value: service}
}

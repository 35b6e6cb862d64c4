package finder

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/adhocore/gronx"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/kind/netlify/function"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/schedule"
)

// use is one function as the site uses it.
type use struct {
	site  *site
	file  candidate
	src   function.Source
	due   []kind.Due
	line  int
	fires bool // some schedule of it is one for Netlify
	wrong string
	notes []string
	// starts are the scripts that the function has node run, and which are there.
	starts []string
	ours   []kind.Construct // of its schedules
}

// plan gathers the schedules of the function. The source's comes before that of
// netlify.toml, as with Netlify; those that Netlify ignores count only where
// there is no other.
func (u *use) plan() {
	var ignored []kind.Due
	take := func(d kind.Due, key string, fires bool, column int) {
		c := kind.Construct{Key: key, Support: kind.Exact, File: d.File, Line: d.Line, Column: column}
		switch {
		case !fires:
			c.Support, c.Note = kind.Approximated, "Netlify never fires it; here it is a schedule"
			ignored = append(ignored, d)
		case len(u.due) > 0:
			c.Support, c.Note = kind.Unsupported, "Netlify takes the schedule that comes first, and so does redundctl"
		default:
			u.due, u.fires = append(u.due, d), true
		}
		u.ours = append(u.ours, c)
		if d.File == u.file.rel && u.line == 0 {
			u.line = d.Line
		}
	}
	for _, s := range u.src.Schedules {
		take(kind.Due{Cron: s.Cron, File: u.file.rel, Line: s.Line}, s.Name, s.Fires, s.Column)
	}
	for _, s := range u.site.toml.schedules {
		if matches(s.function, u.file.name) {
			s.hit.Store(true)
			take(kind.Due{Cron: s.cron, File: u.site.toml.rel, Line: s.line}, s.key, s.fires, 0)
		}
	}
	defer func() {
		for _, d := range u.due {
			if why := refused(d.Cron); why != "" && u.wrong == "" {
				u.wrong = fmt.Sprintf("%s:%d: %s", d.File, d.Line, why)
			}
		}
	}()
	if len(u.due) > 0 {
		return
	}
	for _, d := range ignored {
		if !slices.ContainsFunc(u.due, func(o kind.Due) bool { return o.Cron == d.Cron }) {
			u.due = append(u.due, d)
		}
	}
	if len(ignored) > 0 {
		u.notes = append(u.notes, fmt.Sprintf("declared, never fires on Netlify: %s at %s:%d is no schedule there", u.ours[0].Key, ignored[0].File, ignored[0].Line))
	}
}

// refused says why Netlify takes no such schedule; "": it does.
// docs.netlify.com, scheduled functions: five fields or one of five names, in UTC.
func refused(cron string) string {
	switch cron {
	case "@hourly", "@daily", "@weekly", "@monthly", "@yearly":
		return ""
	case "":
		return "its schedule is not written as a plain text: Netlify cannot read it, nor can redundctl"
	}
	if len(strings.Fields(cron)) != 5 || !gronx.IsValid(cron) || !regexp.MustCompile(`^[0-9A-Za-z*,/ \t-]+$`).MatchString(cron) {
		return fmt.Sprintf("its schedule %q is none that Netlify takes: five fields, or @hourly, @daily, @weekly, @monthly, @yearly", short(cron))
	}
	return ""
}

func short(s string) string {
	if len(s) > 60 {
		return strings.ToValidUTF8(s[:60], "") + "…"
	}
	return s
}

// often reports whether one of the schedules may be due twice within an hour.
func often(due []kind.Due) bool {
	return slices.ContainsFunc(due, func(d kind.Due) bool {
		s, err := schedule.Parse(pipeline.Schedule{Cron: d.Cron})
		return err == nil && s.Often()
	})
}

// event is what the function is called for, and its limit at Netlify.
func (u *use) event() string {
	if strings.HasSuffix(u.file.name, "-background") {
		return "background"
	}
	return "schedule"
}

// own reports whether a variable is set by Netlify or by every system, and is
// thus nobody's secret.
func own(name string) bool {
	switch name {
	case "NETLIFY", "NETLIFY_DEV", "NETLIFY_LOCAL", "NETLIFY_IMAGES_CDN_DOMAIN", "NETLIFY_BLOBS_CONTEXT", "NETLIFY_PURGE_API_TOKEN",
		"CONTEXT", "URL", "DEPLOY_URL", "DEPLOY_PRIME_URL", "DEPLOY_ID", "SITE_ID", "SITE_NAME", "ACCOUNT_ID",
		"BRANCH", "HEAD", "COMMIT_REF", "CACHED_COMMIT_REF", "REPOSITORY_URL", "BUILD_ID", "PULL_REQUEST", "REVIEW_ID", "INCOMING_HOOK_URL", "INCOMING_HOOK_TITLE", "INCOMING_HOOK_BODY",
		"NODE_ENV", "NODE_OPTIONS", "NODE_VERSION", "NODE_PATH", "PATH", "HOME", "PWD", "USER", "SHELL", "TMPDIR", "TZ", "LANG", "LC_ALL", "CI", "DEBUG", "HOSTNAME",
		"LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR", "_HANDLER":
		return true
	}
	return strings.HasPrefix(name, "AWS_") || strings.HasPrefix(name, "REDUND_")
}

func (u *use) secrets() []string {
	var out []string
	for _, v := range u.src.Variables {
		if !own(v.Name) {
			out = append(out, v.Name)
		}
	}
	return out
}

// disabled says why the function cannot run on another machine.
func (u *use) disabled() string {
	for _, p := range u.src.Packages {
		if p.Name == "@netlify/blobs" || p.Name == "@netlify/db" {
			return fmt.Sprintf("it uses %s (line %d), which only a function at Netlify can reach", p.Name, p.Line)
		}
	}
	return ""
}

// draft is the pipeline.
func (u *use) draft() kind.Map {
	who := kind.Map{}
	if u.site.id != "" {
		who = append(who, kind.Field{Key: "site", Value: u.site.id})
	}
	who = append(who, kind.Field{Key: "function", Value: u.file.name})
	d := kind.Map{{Key: "description", Value: "Runs the Netlify function " + u.file.name + " on this machine"}}
	if len(u.due) > 0 {
		d = append(d, kind.Field{Key: "primary", Value: kind.Map{{Key: "netlify-function", Value: who, Comment: "it must call the heartbeat of this pipeline, or name a page that shows its result as `url`"}}})
		if !u.fires {
			d = append(d, kind.Field{Key: "mode", Value: "replacement", Comment: "Netlify never fires this schedule: standby would wait for nothing"})
		}
		if often(u.due) {
			d = append(d, kind.Field{Key: "covers", Value: "since"})
		}
		var list []any
		for _, s := range u.due {
			list = append(list, kind.Map{{Key: "cron", Value: s.Cron}})
		}
		if len(list) == 1 {
			d = append(d, kind.Field{Key: "schedule", Value: list[0]})
		} else {
			d = append(d, kind.Field{Key: "schedule", Value: list})
		}
	}
	limit := "1m"
	if u.event() == "background" {
		limit = "16m"
	}
	d = append(d, kind.Field{Key: "timeout", Value: limit, Comment: "of the run; the function has Netlify's own limit"})
	with := kind.Map{{Key: "file", Value: u.file.rel}, {Key: "event", Value: "schedule"}}
	if u.event() == "background" {
		with = append(with, kind.Field{Key: "timeout", Value: "15m"})
	}
	if names := u.secrets(); len(names) > 0 {
		var list []any
		env := kind.Map{}
		for _, n := range names {
			list = append(list, n)
			env = append(env, kind.Field{Key: n, Value: "${{ secrets." + n + " }}"})
		}
		d = append(d, kind.Field{Key: "secrets", Value: list})
		with = append(with, kind.Field{Key: "env", Value: env})
	}
	uses := kind.Field{Key: "uses", Value: "netlify/function"}
	if len(u.starts) == 1 {
		uses.Comment = "it starts " + u.starts[0] + ", which a step of its own could run, without a function's time limit"
	}
	return append(d, kind.Field{Key: "steps", Value: []any{kind.Map{{Key: "id", Value: "call"}, uses, {Key: "with", Value: with}}}})
}

// scripts notes what the function has node run.
func (u *use) scripts() []kind.Construct {
	var out []kind.Construct
	for _, s := range u.src.Scripts {
		c := kind.Construct{Key: "child_process " + s.Name, Support: kind.Exact, File: u.file.rel, Line: s.Line, Column: s.Column}
		if there := function.Script(u.site.root, filepath.Join(u.site.root, filepath.FromSlash(u.file.rel)), s.Name); there == "" {
			c.Support, c.Note = kind.Unsupported, "there is no "+s.Name+": the function fails, or says nothing of it"
			u.notes = append(u.notes, fmt.Sprintf("names %s at line %d, which is not there", s.Name, s.Line))
		} else {
			u.starts = append(u.starts, there)
		}
		out = append(out, c)
	}
	return out
}

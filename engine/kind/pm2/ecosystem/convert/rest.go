package convert

import (
	"slices"
	"strconv"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/kind/pm2/ecosystem/literal"
)

// user is uid and gid: redundctl runs everything as its own user.
func (a *app) user() {
	a.exact("username") // PM2 writes its own over it
	for _, name := range []string{"uid", "gid"} {
		v := a.get(name)
		switch {
		case !truthy(v):
			a.exact(name)
		case v.Show() == a.Host.User || v.Show() == strconv.Itoa(a.Host.UID):
			a.exact(name)
		default:
			a.say(name, kind.Unsupported, "redundctl runs what it runs as its own user")
			a.disable("PM2 runs it as another user (%s %s): redundctl runs what it runs as its own", a.opts[name].key, v.Show())
		}
	}
}

// rest are the options that need no more than a word.
func (a *app) rest() {
	if v := a.get("autostart"); v != nil && v.Kind == literal.Bool && !v.Bool {
		a.say("autostart", kind.Approximated, "PM2 leaves it stopped until somebody starts it, so the pipeline is disabled")
		if !a.scheduled {
			a.disable("PM2 does not start it by itself (autostart: false)")
		}
	} else {
		a.exact("autostart")
	}
	a.exact("source_map_support", "disable_source_map_support")
	for _, name := range a.keys {
		if slices.ContainsFunc(a.out.Constructs, func(c kind.Construct) bool { return c.Key == a.opts[name].key }) {
			continue
		}
		if canonical(name) == "" {
			a.say(name, kind.Unsupported, "PM2 knows no such option, and ignores it")
			continue
		}
		if !truthy(a.get(name)) { // it is switched off, as it is here
			a.exact(name)
			continue
		}
		a.say(name, kind.Unsupported, without(name))
	}
}

// maps is whether source_map_support is asked for; PM2 has it on where nothing is
// said.
func (a *app) maps() bool {
	return truthy(a.get("source_map_support")) && !truthy(a.get("disable_source_map_support"))
}

// without says what becomes of an option that has no counterpart.
func without(name string) string {
	switch name {
	case "watch", "ignore_watch", "watch_delay", "watch_options":
		return "no files are watched: a save of the pipeline's file, or redundctl restart, restarts it"
	case "out_file", "error_file", "log_file", "merge_logs", "log_type", "log_date_format", "time":
		return "what it prints goes to redundctl's log of the system, each line with its time; PM2's own files are never written to"
	case "disable_logs":
		return "what it prints is logged all the same"
	case "pid_file":
		return "no file of its process is written: redundctl status tells it"
	case "append_env_to_name":
		return "with --env NAME PM2 calls it by another name: name that one in primary.pm2.process"
	case "name_prefix":
		return "PM2 takes it from its command line alone"
	case "force", "write", "install_url", "post_update":
		return "it is said to the command line of PM2, and has no meaning here"
	}
	return "it has no meaning outside of PM2"
}

// order puts the constructs in the order of the file.
func (a *app) order() {
	slices.SortStableFunc(a.out.Constructs, func(x, y kind.Construct) int {
		if x.Line != y.Line {
			return x.Line - y.Line
		}
		return x.Column - y.Column
	})
}

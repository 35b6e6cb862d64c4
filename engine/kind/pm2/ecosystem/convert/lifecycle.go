package convert

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/kind/pm2/ecosystem/literal"
)

// copies are the processes side by side.
func (a *app) copies() {
	v := a.get("instances")
	mode := ""
	if m := a.get("exec_mode"); m != nil {
		mode = strings.TrimSuffix(m.Show(), "_mode")
	}
	if truthy(a.get("execute_command")) {
		mode = "fork"
	}
	a.exact("execute_command")
	n, note := 1, ""
	switch {
	case v == nil:
	case v.Kind == literal.Opaque && strings.Contains(v.Text, "cpus"), v.Show() == "max":
		n, note = 0, "as many as this machine has processors"
	case v.Kind == literal.Opaque:
		a.say("instances", kind.Unsupported, "it takes running the file to know it: one is kept")
	default:
		f, err := strconv.ParseFloat(strings.TrimSpace(v.Show()), 64)
		if n = int(f); err != nil || f != math.Trunc(f) || math.Abs(f) > 10000 {
			n = 0 // what PM2 makes of a text that is no number
		}
		if n <= 0 {
			note = "made of the number of this machine's processors"
		}
	}
	a.cluster = mode == "cluster" || mode == "" && v != nil && n >= -1 && a.node
	if n <= 0 {
		n += a.Host.Processors
	}
	a.instances = max(n, 1)
	switch {
	case v != nil && v.Kind == literal.Opaque && note == "":
	case a.instances > 1 && a.cluster:
		a.say("instances", kind.Approximated, fmt.Sprintf("one process in place of %d, for they would share one port: set instances if it listens on none", a.instances))
		a.instances = 1
	case note != "":
		a.say("instances", kind.Approximated, fmt.Sprintf("%d, %s", a.instances, note))
	default:
		a.exact("instances")
	}
	if mode == "cluster" {
		a.say("exec_mode", kind.Approximated, "no port is shared between processes: one is kept")
	} else {
		a.exact("exec_mode")
	}
}

// milliseconds reads an option that is a number, or, where PM2 takes that, a
// number with h, m or s behind it. false: it is not given, or not to be read.
func (a *app) milliseconds(name string) (time.Duration, bool) {
	v := a.get(name)
	if v == nil {
		return 0, false
	}
	text, unit := strings.TrimSpace(v.Show()), time.Millisecond
	if name == "min_uptime" && len(text) > 1 {
		switch text[len(text)-1] {
		case 'h':
			unit = time.Hour
		case 'm':
			unit = time.Minute
		case 's':
			unit = time.Second
		}
		if unit != time.Millisecond {
			text = text[:len(text)-1]
		}
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || f < 0 || f*float64(unit) > float64(100*365*24*time.Hour) {
		a.say(name, kind.Unsupported, "PM2 takes no such value, and starts nothing: its default is taken")
		return 0, false
	}
	return time.Duration(f * float64(unit)), true
}

// restarts makes `restart`.
func (a *app) restarts() kind.Map {
	policy := "always"
	if v := a.get("autorestart"); v != nil && (v.Kind == literal.Bool && !v.Bool || v.Show() == "false") {
		policy = "never"
	}
	a.exact("autorestart")
	if v := a.get("stop_exit_codes"); v != nil && policy == "always" {
		policy = a.codes(v)
	} else {
		a.exact("stop_exit_codes")
	}
	var out kind.Map
	if policy != "always" {
		out = append(out, kind.Field{Key: "policy", Value: policy})
	}
	uptime, limit := time.Second, 16
	if d, ok := a.milliseconds("min_uptime"); ok {
		uptime = d
		a.say("min_uptime", kind.Approximated, "restarts are counted for 15 minutes; PM2 counts them for min_uptime × max_restarts")
	}
	if v := a.get("max_restarts"); v != nil {
		f, err := strconv.ParseFloat(v.Show(), 64)
		switch {
		case err != nil || f < 0 || f > 1e6:
			a.say("max_restarts", kind.Unsupported, "PM2 takes no such value, and starts nothing: its default is taken")
		default:
			limit = int(f)
			a.say("max_restarts", kind.Approximated, "restarts are counted for 15 minutes; PM2 counts them for min_uptime × max_restarts")
		}
	}
	return append(out, a.pauses(uptime, limit)...)
}

// codes is what stop_exit_codes leave of the policy.
func (a *app) codes(v *literal.Value) string {
	list := v.Items
	if v.Kind != literal.Array {
		list = []*literal.Value{v}
	}
	policy := "always"
	var others []string
	for _, x := range list {
		if n, err := strconv.Atoi(strings.TrimSpace(x.Show())); err == nil && n == 0 {
			policy = "on-failure"
			continue
		}
		others = append(others, x.Show())
	}
	if len(others) > 0 {
		a.say("stop_exit_codes", kind.Unsupported, "it is started again after these too: "+strings.Join(others, ", "))
	} else {
		a.exact("stop_exit_codes")
	}
	return policy
}

// endless is so many restarts that they are never counted up within 15 minutes.
const endless = 10000

// pauses are those between restarts, and how many there may be. PM2 gives up at
// the end that reaches its limit within min_uptime × max_restarts; with pauses so
// long that it cannot come to that, it never does.
func (a *app) pauses(uptime time.Duration, limit int) kind.Map {
	delay, longest := time.Duration(0), time.Duration(0)
	if d, ok := a.milliseconds("restart_delay"); ok {
		if delay, longest = d, d; d > 0 {
			a.say("restart_delay", kind.Approximated, "the first restart comes at once")
		} else {
			a.exact("restart_delay")
		}
	}
	if d, ok := a.milliseconds("exp_backoff_restart_delay"); ok {
		if d > 0 {
			delay, longest = d, max(d, 15*time.Second)
			limit, uptime = endless, 30*time.Second // as long as PM2 keeps a pause in mind
			a.say("exp_backoff_restart_delay", kind.Approximated, "the first restart comes at once, and pauses double; PM2's grow by half")
		} else {
			a.exact("exp_backoff_restart_delay")
		}
	}
	if limit > 1 && limit != endless && float64(delay)*float64(limit-1) >= float64(uptime)*float64(limit) {
		limit, uptime = endless, 24*time.Hour // a pause comes however long it lived
	}
	out := kind.Map{{Key: "delay", Value: span(delay)}}
	if longest > 0 {
		out = append(out, kind.Field{Key: "max-delay", Value: span(longest)})
	}
	return append(out, kind.Field{Key: "max-restarts", Value: max(limit-1, 0)}, kind.Field{Key: "min-uptime", Value: span(uptime)})
}

// span writes a duration as the language takes it.
func span(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}

// memory is max_memory_restart, in bytes; 0: none.
func (a *app) memory() int64 {
	v := a.get("max_memory_restart")
	if v == nil {
		return 0
	}
	text, unit := strings.TrimSpace(v.Show()), int64(1)
	if v.Kind == literal.String && len(text) > 1 {
		switch text[len(text)-1] {
		case 'K':
			unit = 1 << 10
		case 'M':
			unit = 1 << 20
		case 'G':
			unit = 1 << 30
		}
		if unit > 1 {
			text = text[:len(text)-1]
		}
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || f <= 0 || f*float64(unit) > 1<<50 {
		a.say("max_memory_restart", kind.Unsupported, "PM2 takes no such value: there is no limit")
		return 0
	}
	if a.scheduled {
		a.say("max_memory_restart", kind.Approximated, "of the whole tree of processes, and the run fails when it is above it; PM2 starts it again")
	} else {
		a.say("max_memory_restart", kind.Approximated, "of the whole tree of processes, once it was above it for 30 s; PM2 looks at the first process each 30 s")
	}
	return int64(f * float64(unit))
}

func size(n int64) string {
	switch {
	case n%(1<<30) == 0:
		return strconv.FormatInt(n>>30, 10) + "GiB"
	case n%(1<<20) == 0:
		return strconv.FormatInt(n>>20, 10) + "MiB"
	case n%(1<<10) == 0:
		return strconv.FormatInt(n>>10, 10) + "KiB"
	}
	return strconv.FormatInt(n, 10)
}

// ending makes `stop`.
func (a *app) ending() kind.Map {
	timeout := 1600 * time.Millisecond
	if d, ok := a.milliseconds("kill_timeout"); ok {
		if d > 0 {
			timeout = d
		}
		if a.scheduled {
			a.say("kill_timeout", kind.Approximated, "a step is asked with SIGTERM, and killed after 5 s")
		} else {
			a.exact("kill_timeout")
		}
	}
	a.exact("kill_retry_time")
	if v := a.get("treekill"); v != nil && v.Kind == literal.Bool && !v.Bool {
		a.say("treekill", kind.Unsupported, "what it has started is ended with it all the same")
	} else {
		a.exact("treekill")
	}
	switch {
	case !truthy(a.get("shutdown_with_message")):
		a.exact("shutdown_with_message")
	case a.node:
		a.say("shutdown_with_message", kind.Approximated, "the message comes with SIGINT, of a line that node 20.6 or newer imports")
	default:
		a.say("shutdown_with_message", kind.Unsupported, "it is sent SIGINT")
	}
	return kind.Map{{Key: "signal", Value: "SIGINT"}, {Key: "timeout", Value: span(timeout)}}
}

// readiness is wait_ready and listen_timeout.
func (a *app) readiness() {
	if !truthy(a.get("wait_ready")) {
		a.exact("wait_ready", "listen_timeout")
		return
	}
	note := "it counts as running at once: give `ready` an address, a program or a line of its output"
	if a.node {
		note += "; process.send is there, and does nothing"
	}
	a.say("wait_ready", kind.Unsupported, note)
	a.say("listen_timeout", kind.Unsupported, "there is no message to wait for: see `ready`")
}

// Package convert makes a pipeline of one application of PM2: what each of its
// options means here, and what it does not.
//
// What PM2 does with its options is that of PM2 7.0.4, as its source says
// (lib/API/schema.json, lib/Common.js, lib/God.js) and as the tests measure it.
package convert

import "github.com/redundctl/redundctl/engine/kind/pm2/ecosystem/literal"

// canonical gives the option that a key of an application stands for; "": PM2
// knows none. Each option may be written in camel case too.
func canonical(key string) string {
	switch key {
	case "script", "exec", "cmd", "command":
		return "script"
	case "exec_interpreter", "interpreter", "execInterpreter":
		return "exec_interpreter"
	case "node_args", "nodeArgs", "interpreterArgs", "interpreter_args":
		return "node_args"
	case "out_file", "outFile", "out", "output", "out_log":
		return "out_file"
	case "error_file", "errorFile", "error", "err", "err_file", "err_log":
		return "error_file"
	case "log_file", "logFile", "log":
		return "log_file"
	case "pid_file", "pidFile", "pid":
		return "pid_file"
	case "cron_restart", "cronRestart", "cron":
		return "cron_restart"
	case "merge_logs", "mergeLogs", "combine_logs":
		return "merge_logs"
	case "uid", "user":
		return "uid"
	}
	if len(key) > 4 && key[:4] == "env_" {
		return "env_*"
	}
	for _, o := range others() {
		if key == o || key == camel(o) {
			return o
		}
	}
	return ""
}

// others are the options that have no alias but that in camel case.
func others() []string {
	return []string{
		"name", "name_prefix", "filter_env", "namespace", "install_url", "cwd", "args", "disable_logs", "log_type", "log_date_format",
		"time", "env", "max_memory_restart", "restart_delay", "exp_backoff_restart_delay", "source_map_support",
		"disable_source_map_support", "wait_ready", "instances", "kill_timeout", "shutdown_with_message", "listen_timeout", "vizion",
		"autostart", "autorestart", "stop_exit_codes", "watch_delay", "watch", "ignore_watch", "watch_options", "min_uptime",
		"max_restarts", "execute_command", "exec_mode", "force", "append_env_to_name", "post_update", "trace", "disable_trace", "v8",
		"event_loop_inspector", "deep_monitoring", "increment_var", "instance_var", "pmx", "automation", "treekill", "port", "username",
		"gid", "windowsHide", "kill_retry_time", "write", "io", "km_link",
	}
}

func camel(s string) string {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '_' && i+1 < len(s) {
			i++
			out = append(out, s[i]&^0x20)
			continue
		}
		out = append(out, s[i])
	}
	return string(out)
}

// option is one option of an application as it was written.
type option struct {
	key    string // as written
	value  *literal.Value
	line   int
	column int
}

// truthy is whether JavaScript takes a value for true.
func truthy(v *literal.Value) bool {
	if v == nil {
		return false
	}
	switch v.Kind {
	case literal.Bool:
		return v.Bool
	case literal.Number:
		return v.Number != 0
	case literal.String:
		return v.Text != ""
	case literal.Array, literal.Object, literal.Opaque:
		return true
	}
	return false
}

// split cuts a text into arguments, as PM2 does with `args`: at spaces that stand
// in no quotes. Quotes around a whole argument go; others stay.
func split(s string) []string {
	var out []string
	for s != "" {
		if s[0] == ' ' || s[0] >= '\t' && s[0] <= '\r' {
			s = s[1:]
			continue
		}
		n := word(s)
		w := s[:n]
		s = s[n:]
		if len(w) > 1 && (w[0] == '"' || w[0] == '\'') && w[len(w)-1] == w[0] {
			w = w[1 : len(w)-1]
		}
		if trimmed(w) != "" {
			out = append(out, w)
		}
	}
	return out
}

// word is the length of the first argument of a text: name="a b", "a b", or what
// reaches to the next space.
func word(s string) int {
	name := 0
	for name < len(s) && !blank(s[name]) && s[name] != '"' && s[name] != '\'' && s[name] != '=' {
		name++
	}
	from := 0
	if name > 0 && name < len(s) && s[name] == '=' {
		from = name + 1
	}
	if from < len(s) && (s[from] == '"' || s[from] == '\'') && (from > 0 || name == 0) {
		for i := from + 1; i < len(s); i++ {
			if s[i] == s[from] {
				return i + 1
			}
		}
	}
	n := 0
	for n < len(s) && !blank(s[n]) {
		n++
	}
	return n
}

func blank(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

func trimmed(s string) string {
	for s != "" && blank(s[0]) {
		s = s[1:]
	}
	return s
}

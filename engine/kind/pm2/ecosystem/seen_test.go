package ecosystem_test

import (
	"strings"
	"testing"
)

// shellTeller and pythonTeller tell what a program of theirs sees.
const (
	shellTeller = "#!/bin/sh\nprintf '{\"pid\": %s, \"cwd\": \"%s\", \"args\": [\"%s\", \"%s\"]}\\n' $$ \"$PWD\" \"$1\" \"$2\" >> \"$(cd \"$(dirname \"$0\")\" && pwd)/told/$APP\"\nexec sleep 1000\n"
	pythonTell  = "import json, os, sys, time\nwith open(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'told', os.environ['APP']), 'a') as f:\n" +
		"    f.write(json.dumps({'pid': os.getpid(), 'cwd': os.getcwd(), 'args': sys.argv[1:], 'env': {'PYTHONUNBUFFERED': os.environ.get('PYTHONUNBUFFERED')}}) + '\\n')\ntime.sleep(1000)\n"
)

// seenCases are applications whose processes see the same under PM2 and under
// ours. says is what the import must say of the options named.
func seenCases() []struct {
	app  map[string]any
	says map[string]string
} {
	type m = map[string]any
	show := func(names string, more m) m {
		out := m{"SHOW": names}
		for k, v := range more {
			out[k] = v
		}
		return out
	}
	exact := func(keys ...string) map[string]string {
		out := map[string]string{}
		for _, k := range keys {
			out[k] = "exact"
		}
		return out
	}
	return []struct {
		app  map[string]any
		says map[string]string
	}{
		{m{"name": "texts", "args": `one --two="a b" 'three four' "five" six'seven' x="y z"w  --e= $HOME`, "node_args": "--trace-warnings --max-old-space-size=64",
			"port": 4321, "filter_env": []any{"LEAK"}, "disable_source_map_support": true,
			"env": show("N B O E L PORT LEAKED", m{"N": 1.5, "B": true, "O": m{"a": []any{1, "x", nil}}, "E": "", "L": "a $HOME ${{ x }} 'q'", "PORT": 1})},
			exact("name", "args", "script", "node_args", "env", "port", "filter_env", "disable_source_map_support")},
		{m{"name": "lists", "args": []any{"a b", "", "$HOME", "--x=1"}, "interpreterArgs": []any{"--trace-warnings"}, "cwd": "sub", "script": "../teller.js",
			"filter_env": "LEAKED", "env": show("LEAKED", nil)}, exact("args", "interpreterArgs", "cwd", "filter_env")},
		{m{"name": "exec-maps", "exec": "./teller.js", "source_map_support": true, "username": "nobody"}, exact("exec", "source_map_support", "username")},
		{m{"name": "bash", "script": "show.sh", "args": "a 'b c'"}, exact("script")},
		{m{"name": "python", "script": "show.py", "args": "p", "interpreter": "python3"}, exact("interpreter")},
		{m{"name": "interpreter-sh", "script": "tool", "exec_interpreter": "sh", "args": "a b"}, exact("exec_interpreter")},
		{m{"name": "interpreter-none", "script": "show.run", "exec_interpreter": "none", "args": "a b", "node_args": "--no-such"}, exact("exec_interpreter", "node_args")},
		{m{"name": "no-ending", "cmd": "bin/js", "args": "x"}, exact("cmd")},
		{m{"name": "words", "script": "node teller.js x 'y z'", "args": "dropped"}, exact("script", "args")},
		{m{"name": "program", "script": "node", "args": "teller.js z"}, exact("script")},
		{m{"name": "numbered", "instance_var": "NUMBER", "increment_var": "COUNT", "instances": "2", "exec_mode": "fork", "env": show("NUMBER COUNT", m{"COUNT": 10})},
			exact("instance_var", "increment_var", "instances", "exec_mode")},
		{m{"name": "instances-max", "instances": "max", "execute_command": true, "env": show("NODE_APP_INSTANCE", nil)},
			map[string]string{"instances": "approximated: ", "execute_command": "exact"}},
		{m{"name": "instances-minus", "instances": -1, "exec_mode": "fork_mode", "increment_var": "COUNT", "env": show("NODE_APP_INSTANCE COUNT", m{"COUNT": 7})},
			map[string]string{"instances": "approximated: ", "increment_var": "exact"}},
		{m{"name": "one-instance", "instances": 1, "env": show("NODE_APP_INSTANCE", nil)}, exact("instances")},
		{m{"name": "meaningless", "namespace": "red", "name_prefix": "p", "force": true, "vizion": false, "pmx": false, "automation": false, "disable_trace": true,
			"trace": false, "v8": true, "event_loop_inspector": true, "deep_monitoring": false, "windowsHide": true, "write": true, "install_url": "https://example.com",
			"post_update": []any{"echo"}, "append_env_to_name": true, "io": m{"conf": m{"a": 1}}, "km_link": true, "kill_retry_time": 50, "autostart": true,
			"watch": false, "ignore_watch": []any{"x"}, "watch_delay": 100, "watch_options": m{"followSymlinks": false},
			"env_production": m{"PROFILE": "production"}, "env": show("PROFILE", nil), "colour": "blue"},
			map[string]string{
				"namespace": "approximated: it stands as the category", "name_prefix": "unsupported: PM2 takes it from its command line alone",
				"force": "unsupported: it is said to the command line of PM2, and has no meaning here", "write": "unsupported: it is said to the command line of PM2, and has no meaning here",
				"install_url": "unsupported: it is said to the command line of PM2", "post_update": "unsupported: it is said to the command line of PM2",
				"vizion": "exact", "pmx": "exact", "automation": "exact", "trace": "exact", "deep_monitoring": "exact",
				"disable_trace": "unsupported: it has no meaning outside of PM2", "v8": "unsupported: it has no meaning outside of PM2",
				"event_loop_inspector": "unsupported: it has no meaning outside of PM2", "windowsHide": "unsupported: it has no meaning outside of PM2",
				"io": "unsupported: it has no meaning outside of PM2", "km_link": "unsupported: it has no meaning outside of PM2",
				"append_env_to_name": "unsupported: with --env NAME", "kill_retry_time": "exact", "autostart": "exact",
				"watch": "exact", "ignore_watch": "unsupported: no files are watched", "watch_delay": "unsupported: no files are watched",
				"watch_options": "unsupported: no files are watched", "env_production": "unsupported: PM2 takes it with --env production alone",
				"colour": "unsupported: PM2 knows no such option, and ignores it",
			}},
	}
}

// TestOptionsSeen: what the processes of an application see (their program, its
// arguments, working directory, environment, and how many there are) is the same
// under a real PM2 and under ours.
func TestOptionsSeen(t *testing.T) {
	t.Parallel()
	cases := seenCases()
	var apps []map[string]any
	for _, c := range cases {
		apps = append(apps, c.app)
	}
	b := start(t, apps, map[string]string{
		"show.sh": shellTeller, "show.run": shellTeller, "tool": shellTeller, "show.py": pythonTell, "bin/js": strings.ReplaceAll(teller, "path.join(__dirname, 'told'", "path.join(__dirname, '../told'"),
		"sub/.keep": "",
	}, "LEAKED=1")
	for _, c := range cases {
		name := c.app["name"].(string)
		f := b.found[name]
		for key, want := range c.says {
			if got := says(f, key); got != want && (strings.HasSuffix(want, "exact") || !strings.HasPrefix(got, want)) {
				t.Errorf("%s: of %s the import says %q, want %q", name, key, got, want)
			}
		}
		count := 0
		b.pm2.until(name+" starts", func() bool { count = len(b.pm2.starts(name)); return count > 0 })
		b.ours.until(name+" starts as often", func() bool { return len(b.ours.starts(name)) >= max(count, 1) })
		theirs, ours := b.pm2.seen(name), b.ours.seen(name)
		if name != "exec-maps" && name != "texts" {
			theirs, ours = strings.ReplaceAll(theirs, `"maps":true`, `"maps":false`), strings.ReplaceAll(ours, `"maps":true`, `"maps":false`)
		}
		if theirs != ours {
			t.Errorf("%s:\nPM2  %s\nours %s\n%s", name, theirs, ours, shown(f.Draft))
		}
	}
}

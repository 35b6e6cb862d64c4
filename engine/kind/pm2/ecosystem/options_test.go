package ecosystem_test

import (
	"context"
	"encoding/json"
	"os"
	"os/user"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/kind/pm2/pm2test"
)

// one reads an ecosystem file of JSON with one application, whose name is app.
func one(t testing.TB, options string) kind.Found {
	t.Helper()
	found := look(t, project(t, map[string]string{"ecosystem.json": "{\"name\": \"app\", \"script\": \"a.js\",\n" + options + "}", "a.js": ""}), false)
	if len(found) != 1 {
		t.Fatalf("%s: found %d", options, len(found))
	}
	return found[0]
}

// TestOptionsMean: what becomes of an option that a real PM2 is not asked about:
// of its odd values, and of those that say nothing to a process.
func TestOptionsMean(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ options, key, says, draft string }{
		{`"out_file": "./o.log"`, "out_file", "unsupported: what it prints goes to redundctl's log", ""},
		{`"error_file": "./e.log"`, "error_file", "unsupported: what it prints goes to redundctl's log", ""},
		{`"log_file": true`, "log_file", "unsupported: what it prints goes to redundctl's log", ""},
		{`"merge_logs": true`, "merge_logs", "unsupported: what it prints goes to redundctl's log", ""},
		{`"log_type": "json"`, "log_type", "unsupported: what it prints goes to redundctl's log", ""},
		{`"log_date_format": "YYYY"`, "log_date_format", "unsupported: what it prints goes to redundctl's log", ""},
		{`"time": true`, "time", "unsupported: what it prints goes to redundctl's log", ""},
		{`"disable_logs": true`, "disable_logs", "unsupported: what it prints is logged all the same", ""},
		{`"pid_file": "./x.pid"`, "pid_file", "unsupported: no file of its process is written", ""},
		{`"watch": ["src"]`, "watch", "unsupported: no files are watched", ""},
		{`"ignoreWatch": ["x"]`, "ignoreWatch", "unsupported: no files are watched", ""},
		{`"trace": true`, "trace", "unsupported: it has no meaning outside of PM2", ""},
		{`"deep_monitoring": true`, "deep_monitoring", "unsupported: it has no meaning outside of PM2", ""},
		{`"pmx": "x"`, "pmx", "unsupported: it has no meaning outside of PM2", ""},
		{`"automation": true`, "automation", "unsupported: it has no meaning outside of PM2", ""},
		{`"vizion": true`, "vizion", "unsupported: it has no meaning outside of PM2", ""},
		{`"instances": 4`, "instances", "approximated: one process in place of 4", ""},
		{`"instances": 4, "exec_mode": "cluster"`, "exec_mode", "approximated: no port is shared", ""},
		{`"instances": "many", "exec_mode": "fork"`, "instances", "approximated: ", "instances: "},
		{`"treekill": false`, "treekill", "unsupported: what it has started is ended", ""},
		{`"kill_timeout": 0`, "kill_timeout", "exact", "timeout: 1.6s"},
		{`"kill_timeout": "60000"`, "kill_timeout", "exact", "timeout: 1m}"},
		{`"kill_timeout": "soon"`, "kill_timeout", "unsupported: PM2 takes no such value", "timeout: 1.6s"},
		{`"max_memory_restart": "1G"`, "max_memory_restart", "approximated: ", "memory-limit: 1GiB"},
		{`"max_memory_restart": "1500K"`, "max_memory_restart", "approximated: ", "memory-limit: 1500KiB"},
		{`"max_memory_restart": 1000`, "max_memory_restart", "approximated: ", "memory-limit: 1000"},
		{`"max_memory_restart": "300MB"`, "max_memory_restart", "unsupported: PM2 takes no such value", ""},
		{`"min_uptime": "2h"`, "min_uptime", "approximated: ", "min-uptime: 2h}"},
		{`"min_uptime": "5m"`, "min_uptime", "approximated: ", "min-uptime: 5m}"},
		{`"max_restarts": 1`, "max_restarts", "approximated: ", "max-restarts: 0"},
		{`"max_restarts": -1`, "max_restarts", "unsupported: PM2 takes no such value", "max-restarts: 15"},
		{`"restart_delay": 0`, "restart_delay", "exact", "delay: 0s, max-restarts: 15"},
		{`"restart_delay": 2000`, "restart_delay", "approximated: ", "delay: 2s, max-delay: 2s, max-restarts: 9999, min-uptime: 24h"},
		{`"restart_delay": 1500, "max_restarts": 2`, "restart_delay", "approximated: ", "delay: 1.5s, max-delay: 1.5s, max-restarts: 1, min-uptime: 1s"},
		{`"restart_delay": 100`, "restart_delay", "approximated: ", "delay: 100ms, max-delay: 100ms, max-restarts: 15"},
		{`"exp_backoff_restart_delay": 100`, "exp_backoff_restart_delay", "approximated: ", "delay: 100ms, max-delay: 15s, max-restarts: 9999, min-uptime: 30s"},
		{`"stop_exit_codes": [0]`, "stop_exit_codes", "exact", "policy: on-failure"},
		{`"stop_exit_codes": 3`, "stop_exit_codes", "unsupported: it is started again after these too: 3", "delay: 0s"},
		{`"stop_exit_codes": ["0", 143]`, "stop_exit_codes", "unsupported: it is started again after these too: 143", "policy: on-failure"},
		{`"autorestart": false`, "autorestart", "exact", "policy: never"},
		{`"autorestart": "false"`, "autorestart", "exact", "policy: never"},
		{`"cron_restart": 0`, "cron_restart", "exact", "service: "},
		{`"cron": "0 3 * * *"`, "cron", "exact", "cron-restart: 0 3 * * *"},
		{`"cron_restart": "0 0 L * *"`, "cron_restart", "unsupported: PM2's schedule \"0 0 L * *\" cannot be kept here", ""},
		{`"namespace": "default"`, "namespace", "exact", ""},
		{`"namespace": "red team"`, "namespace", "approximated: it stands as the category", "category: red team"},
		{`"uid": "no-such-user"`, "uid", "unsupported: redundctl runs what it runs as its own user", ""},
		{`"gid": 65533`, "gid", "unsupported: redundctl runs what it runs as its own user", ""},
		{`"shutdown_with_message": true, "interpreter": "python3"`, "shutdown_with_message", "unsupported: it is sent SIGINT", ""},
		{`"wait_ready": true`, "wait_ready", "unsupported: it counts as running at once", "--import, data:text/javascript,process.send||=()=>true"},
		{`"listen_timeout": 5000`, "listen_timeout", "exact", ""},
		{`"increment_var": "1X"`, "increment_var", "unsupported: it is no name of a variable", ""},
		{`"instance_var": "a b"`, "instance_var", "unsupported: it is no name of a variable", ""},
		{`"filter_env": true`, "filter_env", "approximated: every process gets PATH", ""},
		{`"filter_env": ["AWS_"]`, "filter_env", "exact", ""},
		{`"interpreter": "node@18"`, "interpreter", "approximated: the node of PATH", "exec: [node, a.js]"},
		{`"env": "x"`, "env", "unsupported: it is no list of variables", ""},
		{`"env": {"a b": 1, "REDUND_X": 1, "OK": 1}`, "env", "approximated: left out, for no pipeline may set them: a b, REDUND_X", "env: {OK: 1}"},
		{`"env_production": {"A": "1"}`, "env_production", "unsupported: PM2 takes it with --env production alone", ""},
		{`"colour": 1`, "colour", "unsupported: PM2 knows no such option", ""},
		{`"exec_interpreter": "none", "script": "b"`, "exec_interpreter", "exact", "exec: [b]"},
	} {
		f := one(t, c.options)
		if got := says(f, c.key); got != c.says && !(strings.HasSuffix(c.says, " ") || !strings.HasSuffix(c.says, "exact")) || !strings.HasPrefix(got, c.says) {
			t.Errorf("%s: it says %q, want %q", c.options, got, c.says)
		}
		if d := shown(f.Draft); !strings.Contains(d, c.draft) {
			t.Errorf("%s: the draft is %s, want %q in it", c.options, d, c.draft)
		}
		for _, x := range f.Constructs {
			if x.File != "ecosystem.json" || x.Line < 1 || x.Column < 1 {
				t.Errorf("%s: %v has no place", c.options, x)
			}
		}
	}
}

// TestOwnUser: an application that PM2 runs as the user that redundctl runs as
// runs here too.
func TestOwnUser(t *testing.T) {
	t.Parallel()
	u, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	for _, options := range []string{`"user": "` + u.Username + `"`, `"uid": ` + u.Uid, `"gid": 0, "uid": 0`} {
		f := one(t, options)
		if f.Disabled != "" || slices.ContainsFunc(f.Constructs, func(c kind.Construct) bool { return c.Support != kind.Exact }) {
			t.Errorf("%s: %q, %v", options, f.Disabled, f.Constructs)
		}
	}
}

// TestDisabled: what must not run here gets a pipeline that does not.
func TestDisabled(t *testing.T) {
	t.Parallel()
	for options, want := range map[string]string{
		`"user": "www-data-of-nobody"`:                               "PM2 runs it as another user (user www-data-of-nobody)",
		`"autostart": false`:                                         "PM2 does not start it by itself",
		`"script": "serve"`:                                          "the script is the file server of PM2 itself",
		`"cron_restart": "x", "autorestart": false`:                  "PM2's schedule \"x\" cannot be kept here",
		`"instances": 2`:                                             "",
		`"cron_restart": "@daily", "autostart": false`:               "PM2 does not start it by itself",
		`"cron": "@daily", "autostart": false, "autorestart": false`: "",
	} {
		if f := one(t, options); f.Disabled != want && (want == "" || !strings.HasPrefix(f.Disabled, want)) {
			t.Errorf("%s: disabled %q, want %q", options, f.Disabled, want)
		}
	}
}

// TestEveryOption: every option that PM2 itself lists is known, in each of its
// spellings, and stands in docs/compatibility.md with a test that there is.
func TestEveryOption(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	dir, err := pm2test.Install(ctx)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "node_modules/pm2/lib/API/schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	var schema map[string]struct{ Alias any }
	if err := json.Unmarshal(text, &schema); err != nil || len(schema) < 60 {
		t.Fatalf("%d options: %v", len(schema), err)
	}
	page, err := os.ReadFile("../../../../docs/compatibility.md")
	if err != nil {
		t.Fatal(err)
	}
	_, part, _ := strings.Cut(string(page), "\n## PM2\n")
	part, _, _ = strings.Cut(part, "\n## ")
	rows := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)`[^|]*\\| (exact|approximated|unsupported)[^|]* \\|.*\\| `(Test\\w+)` \\|$").FindAllStringSubmatch(part, -1) {
		rows[m[1]] = m[3]
	}
	var tests strings.Builder
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		tests.Write(text)
	}
	for option, x := range schema {
		name := option
		if strings.HasPrefix(option, "^env_") {
			option, name = "env_production", "env_<name>"
		}
		test, ok := rows[name]
		if !ok || !strings.Contains(tests.String(), "func "+test+"(") {
			t.Errorf("docs/compatibility.md has no row of %s with a test that there is: %q", name, test)
		}
		if name != "env_<name>" && !regexp.MustCompile(`"`+option+`"|\W`+option+` `).MatchString(tests.String()) {
			t.Errorf("no test names %s", option)
		}
		spellings := []string{option}
		switch a := x.Alias.(type) {
		case string:
			spellings = append(spellings, a)
		case []any:
			for _, s := range a {
				spellings = append(spellings, s.(string))
			}
		}
		for _, s := range spellings {
			if slices.Contains([]string{"script", "name", "exec"}, s) {
				continue
			}
			if got := says(one(t, `"`+s+`": "1"`), s); got == "" || strings.Contains(got, "knows no such option") {
				t.Errorf("%s: the import says %q", s, got)
			}
		}
	}
}

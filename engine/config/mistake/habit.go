package mistake

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/schema"
)

// habit is what to write for a key that another tool knows, where this one has
// the key to; "": it needs none.
type habit struct{ to, hint string }

// noKey is the hint for what needs no key here.
const noKey = "take it out: steps run on this machine, as the user who runs redundctl"

// habits are keys of GitHub Actions, Compose, PM2 and cron.
func habits(key string) []habit {
	switch strings.ReplaceAll(strings.ToLower(key), "_", "-") {
	case "on":
		return []habit{{"schedule", `write schedule: {cron: "0 4 * * *"}; without one it runs by hand`}}
	case "runs-on", "permissions", "defaults", "user", "volumes", "ports", "networks":
		return []habit{{"", noKey}}
	case "env-file", "dotenv":
		return []habit{{"", "name the file in redund.yaml, as secrets: {env-files: [.env]}, and under secrets here what is read of it"}}
	case "inputs":
		return []habit{{"params", "write params; redundctl run gives them with --param"}}
	case "outputs":
		return []habit{{"", "take it out: what a step writes to $REDUND_OUTPUT is read as steps.ID.outputs.NAME"}}
	case "restart-policy", "autorestart":
		return []habit{{"restart", "write restart: {policy: always}, or on-failure, or never"}}
	case "restart-delay", "exp-backoff-restart-delay":
		return []habit{{"restart", "write restart: {delay: 1s, max-delay: 1m}"}}
	case "max-restarts", "min-uptime":
		return []habit{{"restart", "write it below restart, as restart: {max-restarts: 15, min-uptime: 10s}"}}
	case "max-memory-restart", "mem-limit":
		return []habit{{"memory-limit", "write memory-limit: 300MiB"}}
	case "healthcheck", "health-check":
		return []habit{{"liveness", "write liveness: {http: {url: …}, every: 10s}, and ready for its start"}}
	case "kill-timeout", "kill-signal", "stop-signal", "stop-grace-period":
		return []habit{{"stop", "write stop: {signal: SIGINT, timeout: 5s}"}}
	case "watch":
		return []habit{{"liveness", "take it out: a service starts again when its definition changes, or with redundctl restart"}}
	case "exec-mode":
		return []habit{{"instances", "take it out: instances says how many processes there are"}}
	case "image", "container":
		const hint = noKey + "; what needs a container starts it under run"
		return []habit{{"run", hint}, {"", hint}}
	case "jobs":
		return []habit{{"steps", "a file has no jobs: put their steps under steps, with needs between them"}}
	case "timeout-minutes":
		return []habit{{"timeout", "write timeout: with a unit, as timeout: 5m"}, {"attempts", "write timeout: beside retry, with a unit, as timeout: 5m"}}
	case "strategy":
		return []habit{{"matrix", "write what stands under it beside run: matrix, fail-fast, max-parallel"}}
	case "retries":
		return []habit{{"attempts", `write "attempts"`}, {"retry", "write retry: {attempts: 3}, which counts the first try"}}
	case "depends-on":
		return []habit{{"needs", "write needs: [ID]"}}
	case "cron":
		return []habit{{"schedule", `write schedule: {cron: "0 4 * * *"}`}}
	case "tz", "time-zone":
		return []habit{{"timezone", `write "timezone"`}, {"schedule", "write it into the schedule, as schedule: {cron: …, timezone: Europe/Berlin}"}}
	case "at":
		return []habit{{"cron", `write cron: "MINUTE HOUR * * *", as cron: "0 4 * * *" for four o'clock`}}
	case "command", "script", "cmd":
		return []habit{{"run", "write run: for a script, or exec: for a program and its arguments"}}
	case "text", "body", "msg":
		return []habit{{"message", `did you mean "message"?`}}
	case "pipeline":
		return []habit{{"name", `did you mean "name"?`}}
	}
	return nil
}

// meant is the one of some keys that a key stands for: the nearest, or what
// another tool's key is called here.
func meant(key string, of []string) string {
	for _, h := range habits(key) {
		if slices.Contains(of, h.to) {
			return h.to
		}
	}
	return diag.Nearest(key, of)
}

// unknown is the hint for a key that there is not.
func unknown(i schema.Issue, in any, kinds *kind.Set) string {
	key := i.Names[0]
	step := slices.Contains(i.Allowed, "uses")
	m, _ := in.(map[string]any)
	if uses, ok := m["uses"].(string); ok && step && kinds != nil && takes(kinds, uses, key) {
		return "put it under with"
	}
	switch n := m[key]; {
	case key == "cron" && slices.Contains(i.Allowed, "schedule") && plain(n):
		return fmt.Sprintf("write schedule: {cron: %q}", n)
	case !isNumber(n):
	case key == "timeout-minutes" && slices.Contains(i.Allowed, "timeout"):
		return fmt.Sprintf("write timeout: %vm", n)
	case key == "retries" && slices.Contains(i.Allowed, "retry"):
		return fmt.Sprintf("write retry: {attempts: %v}, which counts the first try", n)
	}
	top, service := slices.Contains(i.Allowed, "steps"), slices.Contains(i.Allowed, "liveness")
	for _, h := range habits(key) {
		if h.to == "" && (step || top || service) || slices.Contains(i.Allowed, h.to) {
			return h.hint
		}
	}
	if top && slices.Contains(strings.Fields("restart instances cron-restart ready liveness stop"), strings.ReplaceAll(key, "_", "-")) {
		return "it is a key of a service: indent it, so that it stands below service"
	}
	if top && slices.Contains(strings.Fields("run exec uses with if needs id shell matrix"), key) {
		return "it is a key of a step: indent it, so that it stands below one of steps"
	}
	if uses, ok := m["uses"].(string); ok && step && own(uses) && diag.Nearest(key, i.Allowed) == "" {
		return "put it under with, if it is an input of " + uses
	}
	if step || top {
		return Choice(key, important(i.Allowed, step))
	}
	if kinds != nil {
		return Choice(key, kinds.Schemas().Ordered(i.Allowed))
	}
	return Choice(key, i.Allowed)
}

// own reports whether a step uses something of the user's, whose inputs no
// schema knows.
func own(uses string) bool {
	return strings.HasPrefix(uses, "./") || strings.HasPrefix(uses, kind.PluginPrefix)
}

// takes reports whether a kind of step has a key.
func takes(kinds *kind.Set, uses, key string) bool {
	if _, known := kinds.Action(uses); !known || own(uses) || strings.Contains(key, ".") {
		return false
	}
	_, err := kinds.Schemas().Explain("uses." + uses + "." + key)
	return err == nil
}

// important puts the keys first that people look for.
func important(keys []string, step bool) []string {
	first := strings.Fields("name schedule steps primary service env secrets params timeout retry on-failure description")
	if step {
		first = strings.Fields("run uses exec id needs if with env working-directory timeout retry matrix")
	}
	rank := func(key string) int {
		if at := slices.Index(first, key); at >= 0 {
			return at
		}
		return len(first)
	}
	out := slices.Clone(keys)
	slices.SortStableFunc(out, func(a, b string) int { return cmp.Compare(rank(a), rank(b)) })
	return out
}

// outdented reports whether an unknown key probably belongs to a mapping that
// stands above it and has nothing: its lines are not indented far enough.
func outdented(i schema.Issue, all []schema.Issue, root any) bool {
	if i.Keyword != schema.KeywordUnknownKey || meant(i.Names[0], i.Allowed) != "" {
		return false
	}
	return slices.ContainsFunc(all, func(o schema.Issue) bool {
		n := len(o.Path) - 1
		return o.Keyword == schema.KeywordType && n == len(i.Path) && o.Want == "a mapping" && slices.Equal(o.Path[:n], i.Path) && Value(root, o.Path) == nil
	})
}

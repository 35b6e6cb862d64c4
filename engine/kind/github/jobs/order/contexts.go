package order

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redundctl/redundctl/engine/expr/value"
	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/kind/github/workflow"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/schedule"
)

// Environment is one of processes, KEY=VALUE; a later entry wins.
type Environment []string

// Get is the value of a variable, or "".
func (e Environment) Get(name string) string {
	return kind.Variable(e, name)
}

// settle fills the contexts and the variables that are the same for all jobs,
// and writes the payload of the event.
func (r *Opened) settle() error {
	s, f, given := r.Scope, r.File, r.Inputs
	slug := r.repo.Origin.Slug()
	if slug == "" {
		slug = "local/" + filepath.Base(s.Dir)
	}
	owner, name, _ := strings.Cut(slug, "/")
	ref := r.repo.Ref
	if ref == "" {
		ref = "refs/heads/HEAD" // detached: there is no name for it
	}
	host := r.repo.Origin.Host
	if host == "" || host == "ssh.github.com" {
		host = "github.com"
	}
	server, api, graph := "https://"+host, "https://"+host+"/api/v3", "https://"+host+"/api/graphql"
	if host == "github.com" {
		api, graph = "https://api.github.com", "https://api.github.com/graphql"
	}
	event := map[string]any{
		"repository": map[string]any{"name": name, "full_name": slug, "owner": map[string]any{"login": owner}, "html_url": server + "/" + slug},
		"ref":        ref,
	}
	if r.Event == "schedule" {
		event["schedule"] = r.fired()
	}
	if r.Event == "workflow_dispatch" {
		texts := map[string]any{}
		for k, v := range given {
			texts[k] = value.Text(v)
		}
		event["inputs"], event["workflow"] = texts, f.Path
	}
	payload, err := json.Marshal(event)
	if err != nil {
		return fmt.Errorf("the inputs cannot be written as JSON: %w", err)
	}
	path := filepath.Join(r.Temp, "event.json")
	if r.Temp != "" {
		if err := os.WriteFile(path, payload, 0o600); err != nil {
			return fmt.Errorf("the payload of the event cannot be written: %w", err)
		}
	}
	actor := s.Env
	token := ""
	if s.Secret != nil {
		token, _ = s.Secret(workflow.TokenName)
	}
	title := f.Name.Value
	if title == "" {
		title = f.Path
	}
	kind := "branch"
	if strings.HasPrefix(ref, "refs/tags/") {
		kind = "tag"
	}
	short := strings.TrimPrefix(strings.TrimPrefix(ref, "refs/heads/"), "refs/tags/")
	id := fnv.New64a()
	_, _ = id.Write([]byte(s.Run.ID + "/" + s.Step + "/" + s.Matrix))
	r.GitHub = map[string]any{
		"actor": Environment(actor).Get("USER"), "triggering_actor": Environment(actor).Get("USER"), "api_url": api, "base_ref": "", "head_ref": "",
		"event": event, "event_name": r.Event, "event_path": path, "graphql_url": graph, "ref": ref, "ref_name": short, "ref_protected": false, "ref_type": kind,
		"repository": slug, "repository_owner": owner, "repositoryUrl": server + "/" + slug + ".git", "retention_days": "90",
		"run_id": strconv.FormatUint(id.Sum64()>>12, 10), "run_number": "1", "run_attempt": strconv.Itoa(max(s.Run.Attempt, 1)), "secret_source": "Actions",
		"server_url": server, "sha": r.repo.SHA, "token": token, "workflow": title, "workflow_ref": slug + "/" + f.Path + "@" + ref,
		"workflow_sha": r.repo.SHA, "workspace": s.Dir, "action": "", "action_path": "", "action_ref": "", "action_repository": "", "job": "",
	}
	hostname, _ := os.Hostname()
	r.Runner = map[string]any{"name": hostname, "os": "Linux", "arch": arch(), "tool_cache": filepath.Join(r.Temp, "tools"), "temp": r.Temp, "debug": "", "environment": "self-hosted"}
	r.Base = r.variables()
	return nil
}

func arch() string {
	switch runtime.GOARCH {
	case "amd64":
		return "X64"
	case "386":
		return "X86"
	}
	return strings.ToUpper(runtime.GOARCH)
}

// fired is the schedule that the run's slot belongs to.
func (r *Opened) fired() string {
	f := r.File
	slot, err := time.Parse(time.RFC3339Nano, r.Scope.Run.Slot)
	for _, c := range f.Crons {
		zone := c.Timezone
		if zone == "" {
			zone = "UTC"
		}
		if s, bad := schedule.Parse(pipeline.Schedule{Cron: c.Cron.Value, Timezone: zone}); bad == nil && err == nil {
			if next, ok := s.Next(slot.Add(-time.Second)); ok && next.Equal(slot) {
				return c.Cron.Value
			}
		}
	}
	if len(f.Crons) > 0 {
		return f.Crons[0].Cron.Value
	}
	return ""
}

// variables are those of the run that every step has: the step's own, and
// GitHub's.
func (r *Opened) variables() Environment {
	out := slices.Clone(Environment(r.Scope.Env))
	text := func(k string) string { return value.Text(r.GitHub[k]) }
	out = append(out, "CI=true")
	for _, k := range []string{
		"actor", "api_url", "base_ref", "event_name", "event_path", "graphql_url", "head_ref", "ref", "ref_name", "ref_protected", "ref_type", "repository",
		"repository_owner", "retention_days", "run_attempt", "run_id", "run_number", "server_url", "sha", "triggering_actor", "workflow", "workflow_ref", "workflow_sha", "workspace",
	} {
		out = append(out, "GITHUB_"+strings.ToUpper(k)+"="+text(k))
	}
	return append(out, "GITHUB_ACTIONS=true", "RUNNER_NAME="+value.Text(r.Runner["name"]), "RUNNER_OS=Linux", "RUNNER_ARCH="+arch(), "RUNNER_ENVIRONMENT=self-hosted",
		"RUNNER_TOOL_CACHE="+value.Text(r.Runner["tool_cache"]), "RUNNER_WORKSPACE="+filepath.Dir(r.Scope.Dir))
}

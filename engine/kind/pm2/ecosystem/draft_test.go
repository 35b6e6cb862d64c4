package ecosystem_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/redundctl/redundctl/engine/builtin"
	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/diag"
	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/kind/pm2/ecosystem"
)

// TestDraftsLoad: every draft is a valid pipeline, whatever stands in the file, and
// backs up the application that it was made of.
func TestDraftsLoad(t *testing.T) {
	t.Parallel()
	files := usual()
	var odd []map[string]any
	for i, v := range []any{"", " ", "${{ x }}", "a\nb", "'\"`$\\", "é ü/..", "-", "0", "@daily", "*/5 * * * *", 0, -1, 1e300, 0.5, true, false, nil, []any{}, []any{[]any{}}, map[string]any{"a": map[string]any{}}} {
		odd = append(odd, map[string]any{"name": fmt.Sprintf("Odd %d ${{", i), "script": "a.js", "args": v, "node_args": v, "interpreter": v, "cwd": v, "env": v, "port": v})
		odd = append(odd, map[string]any{"name": v, "script": fmt.Sprintf("%d.js", i), "instances": v, "exec_mode": v, "cron_restart": v, "max_restarts": v, "min_uptime": v, "kill_timeout": v})
		odd = append(odd, map[string]any{"name": fmt.Sprint("m", i), "script": "b.js", "max_memory_restart": v, "restart_delay": v, "stop_exit_codes": v, "autorestart": v, "namespace": v,
			"uid": v, "filter_env": v, "instance_var": v, "increment_var": v, "exp_backoff_restart_delay": v, "env": map[string]any{"A": v, "TOKEN": v}})
		odd = append(odd, map[string]any{"script": v, "exec_mode": "fork", "instances": 2, "wait_ready": v, "shutdown_with_message": v, "cron": "0 0 * * *", "autorestart": false})
	}
	text, err := json.Marshal(odd)
	if err != nil {
		t.Fatal(err)
	}
	files["c/ecosystem.json"] = string(text)
	files["d/ecosystem.json"] = `{"apps": [], "static": [{"port": 80, "path": "x"}, {"name": "${{ x", "port": 81}]}`
	files["redund.yaml"] = "version: 1\n"
	root := project(t, files)
	found := look(t, root, false)
	var drafts []kind.Found
	for _, f := range found {
		if f.Broken != "" {
			continue
		}
		m := kind.Map{{Key: "version", Value: 1}, {Key: "name", Value: fmt.Sprintf("p%03d", len(drafts))}, {Key: "enabled", Value: f.Disabled == ""}}
		path := filepath.Join(root, fmt.Sprintf("pipelines/pm2/p%03d.yaml", len(drafts)))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(written(t, append(m, f.Draft...))), 0o600); err != nil {
			t.Fatal(err)
		}
		drafts = append(drafts, f)
	}
	p := config.Load(t.Context(), config.Options{Dir: root, Kinds: builtin.Kinds(), Env: func(string) (string, bool) { return "", false }})
	for _, x := range p.Problems {
		if x.Severity == diag.Error {
			text, _ := os.ReadFile(filepath.Join(root, x.File))
			t.Errorf("%s:%d: %s\n%s", x.File, x.Line, x.Message, text)
		}
	}
	if len(p.Pipelines) != len(drafts) || len(drafts) < 70 {
		t.Fatalf("%d pipelines of %d drafts", len(p.Pipelines), len(drafts))
	}
	for i, x := range p.Pipelines {
		if !ecosystem.Finder().Backs(x.Primary, &drafts[i]) {
			t.Errorf("%s does not back up %q", x.ID(), drafts[i].Primary)
		}
	}
}

package builtin

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/kind/kindtest"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/proc"
)

// workTree is a clone that is behind its remote and has work of its own.
func workTree(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	sh := exec.Command("sh", "-euc", `
		git init -q --bare -b main remote.git
		git init -q -b main tree
		cd tree
		git config user.name a; git config user.email a@example.com
		echo one > file; git add file; git commit -qm one
		git remote add origin ../remote.git; git push -q origin main
		git clone -q ../remote.git ../other
		cd ../other; git config user.name b; git config user.email b@example.com
		echo two > file; git commit -qam two; git push -q origin main
		cd ../tree; echo local > file; echo new > untracked; mkdir -p netlify/functions .github/workflows dist
		echo 'exports.handler = async () => ({statusCode: 200})' > netlify/functions/digest.js
mkdir -p .github/workflows
printf 'on: workflow_dispatch\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: touch made}]}}\n' > .github/workflows/marketing-sync.yml`)
	sh.Dir = dir
	sh.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "GIT_CONFIG_NOSYSTEM=1"}
	if out, err := sh.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return filepath.Join(dir, "tree")
}

// TestEveryPlanChangesNothing runs the dry run of each kind's own example on a
// work tree that is looked at before and after, with a client that refuses
// every request but GET and HEAD, and a PATH of programs that only read.
func TestEveryPlanChangesNothing(t *testing.T) {
	t.Parallel()
	tree := workTree(t)
	spawner, err := proc.New(proc.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer spawner.Close()
	set := Kinds()
	deps := kind.Deps{HTTP: kindtest.Client(t, nil), Proc: spawner}
	planned := 0
	for _, k := range set.Actions {
		with := example(t, set, k)
		a, err := k.Build(with, deps)
		if err != nil {
			t.Errorf("%s: %v", k.Name, err)
			continue
		}
		effects, err := kindtest.Plan(t, a, scope(tree))
		if err == nil && len(effects) == 0 {
			t.Errorf("%s plans to do nothing", k.Name)
		}
		// An example may ask for a backup that is not there, and for an application
		// of a PM2 that does not run.
		if err != nil && k.Name != "git/restore" && k.Name != "pm2" {
			t.Errorf("%s: %v", k.Name, err)
		}
		planned++
	}
	if planned < 18 {
		t.Errorf("only %d kinds were planned", planned)
	}
}

func example(t *testing.T, set *kind.Set, k kind.Action) map[string]any {
	t.Helper()
	var f struct{ Examples []map[string]any }
	if err := json.Unmarshal(k.Fragment, &f); err != nil || len(f.Examples) == 0 {
		t.Fatalf("%s has no example: %v", k.Name, err)
	}
	with := f.Examples[0]
	for key, v := range with {
		if s, ok := v.(string); ok && strings.Contains(s, "${{") {
			with[key] = "text"
		}
	}
	if with["services"] != nil {
		with["services"] = []any{"generic+https://example.com/hook"}
	}
	set.Schemas().FillWith(k.Name, with)
	return with
}

func scope(tree string) *pipeline.Scope {
	return &pipeline.Scope{
		Root: tree, Dir: tree, State: filepath.Join(tree, ".redund"), Out: io.Discard, Step: "step", Attempt: 1,
		Env:  []string{"PATH=" + os.Getenv("PATH"), "HOME=" + filepath.Dir(tree)},
		Mask: func(s string) string { return s }, Inside: func(p string) (string, error) {
			if filepath.IsAbs(p) {
				return p, nil
			}
			return filepath.Join(tree, p), nil
		},
		PlanCall: func(context.Context, string, map[string]any) ([]pipeline.Effect, error) {
			return []pipeline.Effect{"its plan"}, nil
		},
	}
}

// TestKeysAreNoUses holds that `run` and `exec` are keys of a step alone.
func TestKeysAreNoUses(t *testing.T) {
	t.Parallel()
	for _, uses := range []string{"run", "exec"} {
		step := map[string]any{"uses": uses, "with": map[string]any{uses: "true"}}
		got := Kinds().Schemas().Pipeline(map[string]any{"name": "a", "steps": []any{step}})
		if len(got) != 1 || !strings.Contains(got[0].Message, "unknown step kind") {
			t.Errorf("uses: %s: %v", uses, got)
		}
	}
}

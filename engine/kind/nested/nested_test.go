package nested_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/kind/nested"
	"github.com/redundctl/redundctl/engine/pipeline"
)

func TestRun(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		got     pipeline.Called
		err     error
		wantErr string
	}{
		{"succeeded", pipeline.Called{Run: "7", State: pipeline.Succeeded}, nil, ""},
		{"failed", pipeline.Called{Run: "7", State: pipeline.Failed, Error: "step a: exit code 1"}, nil,
			"pipeline pm2/b (run 7) ended as failed: step a: exit code 1"},
		{"cancelled", pipeline.Called{Run: "7", State: pipeline.Cancelled}, nil, "pipeline pm2/b (run 7) ended as cancelled"},
		{"not run", pipeline.Called{}, errors.New("there is no pipeline b"), "there is no pipeline b"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a, err := nested.Kind().Build(map[string]any{"name": "pm2/b", "params": map[string]any{"n": 1}}, kind.Deps{})
			if err != nil {
				t.Fatal(err)
			}
			_, err = a.Run(t.Context(), &pipeline.Scope{Call: func(_ context.Context, name string, params map[string]any) (pipeline.Called, error) {
				if name != "pm2/b" || params["n"] != 1 {
					t.Errorf("called %s with %v", name, params)
				}
				return c.got, c.err
			}})
			if got := text(err); got != c.wantErr {
				t.Errorf("error %q, want %q", got, c.wantErr)
			}
		})
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestPlan(t *testing.T) {
	t.Parallel()
	a, err := nested.Kind().Build(map[string]any{"name": "b"}, kind.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := a.Plan(t.Context(), &pipeline.Scope{PlanCall: func(context.Context, string, map[string]any) ([]pipeline.Effect, error) {
		return []pipeline.Effect{"one: runs true"}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]pipeline.Effect{"runs pipeline b:", "  one: runs true"}, got); diff != "" {
		t.Error(diff)
	}
}

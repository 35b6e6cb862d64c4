package runner

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/redundctl/redundctl/engine/pipeline"
)

// TestPlanHandlers: a dry run tells what each handler would do, under the name
// that its record would have. What only the end of the run decides stays open,
// and a handler that cannot run fails nothing, as in a run.
func TestPlanHandlers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := &pipeline.Pipeline{
			Steps:     []pipeline.Step{step("a", "")},
			OnSuccess: []pipeline.Step{step("", "${{run.state}}(${{run.error}})"), step("", "", when("success() && run.error == ''"))},
			OnFailure: []pipeline.Step{
				step("", "${{run.state}}: ${{run.error}} in ${{steps.a.outputs.text}}"), step("", "", when("failure()")), step("", "", when("success()")),
				step("", "", when("run.state == 'timed-out'")), step("", "", when("contains(toJSON(run), 'x')")), {Uses: "nosuch"},
			},
			OnCancel: []pipeline.Step{step("", "${{run.state}}"), step("", "", when("cancelled()"))},
			Always:   []pipeline.Step{step("", "${{run.state}} ${{run.attempt}}"), step("", "", when("failure()")), step("", "", when("run.attempt == 1"))},
		}
		j, w, _ := setup(t, p)
		got, err := Plan(t.Context(), j)
		if err != nil {
			t.Fatal(err)
		}
		var order []string
		effects := map[string][]string{}
		for _, s := range got.Steps {
			order = append(order, s.ID)
			effects[s.ID] = s.Effects
		}
		want := map[string][]string{
			"a":            {"does x"},
			"on-success.1": {"does x succeeded()"}, "on-success.2": {"does x"},
			"on-failure.1": {"does x ${{ run.state }}: ${{ run.error }} in ${{ steps.a.outputs.text }}"}, "on-failure.2": {"does x"},
			"on-failure.3": {"left out unless: success()"}, "on-failure.4": {"only if: run.state == 'timed-out'", "does x"},
			"on-failure.5": {"only if: contains(toJSON(run), 'x')", "does x"}, "on-failure.6": {"would fail: no kind nosuch"},
			"on-cancel.1": {"does x cancelled"}, "on-cancel.2": {"does x"},
			"always.1": {"does x ${{ run.state }} 2"}, "always.2": {"only if: failure()", "does x"}, "always.3": {"left out unless: run.attempt == 1"},
		}
		if diff := cmp.Diff(want, effects); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{
			"a", "on-success.1", "on-success.2", "on-failure.1", "on-failure.2", "on-failure.3", "on-failure.4", "on-failure.5", "on-failure.6",
			"on-cancel.1", "on-cancel.2", "always.1", "always.2", "always.3",
		}, order); diff != "" {
			t.Error(diff)
		}
		if len(w.ran) > 0 || got.Err != nil || len(got.Waves) != 1 || p.OnFailure[0].ID != "" {
			t.Errorf("ran %v, error %v, waves %v, the pipeline now %v", w.ran, got.Err, got.Waves, p.OnFailure[0])
		}
	})
}

package eval

import (
	"fmt"

	"github.com/redundctl/redundctl/engine/expr"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// Settled is a step whose timeout and continue-on-error are no longer
// expressions: a copy with their values, or the step itself when they are none.
func Settled(s *pipeline.Step, env *expr.Env) (*pipeline.Step, error) {
	if s.TimeoutExpr == "" && s.ContinueExpr == "" {
		return s, nil
	}
	out := *s
	if s.TimeoutExpr != "" {
		text, err := Text(s.TimeoutExpr, env)
		if err != nil {
			return s, fmt.Errorf("timeout: %w", err)
		}
		if out.Timeout, err = pipeline.ParseDuration(text); err != nil {
			return s, fmt.Errorf("timeout: %w", err)
		}
		out.TimeoutExpr = ""
	}
	if s.ContinueExpr != "" {
		t, err := expr.Parse(s.ContinueExpr)
		if err == nil {
			out.ContinueOnError, err = t.Truth(env)
		}
		if err != nil {
			return s, fmt.Errorf("continue-on-error: %w", err)
		}
		out.ContinueExpr = ""
	}
	return &out, nil
}

// Package eval evaluates what a workflow holds: texts, conditions, numbers,
// inputs and matrices. Errors are a *workflow.Fault with the place.
package eval

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redundctl/redundctl/engine/expr"
	"github.com/redundctl/redundctl/engine/expr/value"
	"github.com/redundctl/redundctl/engine/kind/github/workflow"
)

// Inputs are the values of declared inputs: given ones, and defaults. A workflow
// that runs for another event than workflow_dispatch has none.
func Inputs(declared []workflow.Input, given map[string]any, on bool) (map[string]any, error) {
	if !on {
		if len(given) > 0 {
			return nil, fmt.Errorf("inputs are given, which only the event workflow_dispatch has")
		}
		return map[string]any{}, nil
	}
	out := map[string]any{}
	for _, d := range declared {
		v, ok := lookup(given, d.Name)
		if !ok {
			if d.Required && !d.Default.Written() {
				return nil, fmt.Errorf("the input %s is required and not given", d.Name)
			}
			v = d.Default.Value
		}
		typed, err := typedInput(d, v)
		if err != nil {
			return nil, err
		}
		out[d.Name] = typed
	}
	for k := range given {
		if !slices.ContainsFunc(declared, func(d workflow.Input) bool { return strings.EqualFold(d.Name, k) }) {
			return nil, fmt.Errorf("the workflow has no input %q", k)
		}
	}
	return out, nil
}

func lookup(m map[string]any, name string) (any, bool) {
	for k, v := range m {
		if strings.EqualFold(k, name) {
			return v, true
		}
	}
	return nil, false
}

// typedInput is a value as its input declares it.
func typedInput(d workflow.Input, v any) (any, error) {
	text := value.Text(v)
	switch d.Type {
	case "boolean":
		switch text {
		case "true":
			return true, nil
		case "false", "":
			return false, nil
		}
		return nil, fmt.Errorf("the input %s is neither true nor false", d.Name)
	case "number":
		if text == "" {
			return 0.0, nil
		}
		n := value.ParseNumber(text)
		if n != n {
			return nil, fmt.Errorf("the input %s is no number", d.Name)
		}
		return n, nil
	case "choice":
		if text != "" && !slices.Contains(d.Options, text) {
			return nil, fmt.Errorf("the input %s is none of %s", d.Name, strings.Join(d.Options, ", "))
		}
	}
	return text, nil
}

// Text evaluates the expressions in a text; the error names the place.
func Text(t workflow.Text, file string, env *expr.Env) (string, error) {
	if !expr.HasExpr(t.Value) {
		return t.Value, nil
	}
	x, err := expr.Parse(t.Value)
	if err == nil {
		var s string
		if s, err = x.Text(env); err == nil {
			return s, nil
		}
	}
	return "", Placed(t, file, err)
}

// Placed is an error with the place of a text.
func Placed(t workflow.Text, file string, err error) error {
	return &workflow.Fault{File: file, Line: t.Line, Column: t.Column, Message: err.Error()}
}

// Whole evaluates a text that may be one expression, whose value keeps its type.
func Whole(t workflow.Text, file string, env *expr.Env) (any, error) {
	if !expr.HasExpr(t.Value) {
		return t.Value, nil
	}
	x, err := expr.Parse(t.Value)
	if err == nil {
		var v any
		if v, err = x.Eval(env); err == nil {
			return v, nil
		}
	}
	return nil, Placed(t, file, err)
}

// Truth evaluates a boolean; one that was not written is usual.
func Truth(t workflow.Text, file string, env *expr.Env, usual bool) (bool, error) {
	if !t.Written() {
		return usual, nil
	}
	v, err := Whole(t, file, env)
	if err != nil {
		return false, err
	}
	if s, ok := v.(string); ok {
		return s == "true", nil
	}
	return value.Truthy(v), nil
}

// Minutes evaluates a length of time; 0: not written.
func Minutes(t workflow.Text, file string, env *expr.Env) (time.Duration, error) {
	if !t.Written() {
		return 0, nil
	}
	v, err := Whole(t, file, env)
	if err != nil {
		return 0, err
	}
	n := value.AsNumber(v)
	switch {
	case n != n || n <= 0:
		return 0, Placed(t, file, fmt.Errorf("timeout-minutes must be a number above 0"))
	case n > 100*365*24*60:
		return 0, Placed(t, file, fmt.Errorf("timeout-minutes is more than a hundred years"))
	}
	return time.Duration(n * float64(time.Minute)), nil
}

// Env evaluates an `env`.
func Env(e workflow.Env, file string, view *expr.Env) ([]string, error) {
	var out []string
	if e.Expr.Written() {
		v, err := Whole(e.Expr, file, view)
		if err != nil {
			return nil, err
		}
		m, ok := v.(map[string]any)
		if !ok {
			return nil, Placed(e.Expr, file, fmt.Errorf("env must give a mapping"))
		}
		for _, k := range value.Keys(m) {
			out = append(out, k, value.Text(m[k]))
		}
		return out, nil
	}
	for _, v := range e.Vars {
		s, err := Text(v.Value, file, view)
		if err != nil {
			return nil, err
		}
		out = append(out, v.Name, s)
	}
	return out, nil
}

// Condition judges an `if`, with the success() that it has unless it asks how
// things stand.
func Condition(t workflow.Text, file string, view *expr.Env) (bool, error) {
	if strings.TrimSpace(t.Value) == "" {
		return view.Status.Success && !view.Status.Cancelled, nil
	}
	x, err := workflow.Condition(t.Value)
	if err != nil {
		return false, Placed(t, file, fmt.Errorf("if: %w", err))
	}
	if !workflow.Asks(x) && (!view.Status.Success || view.Status.Cancelled) {
		return false, nil
	}
	ok, err := x.Truth(view)
	if err != nil {
		return false, Placed(t, file, fmt.Errorf("if: %w", err))
	}
	return ok, nil
}

// Always judges a condition that is true where none is written.
func Always(t workflow.Text, file string, view *expr.Env) (bool, error) {
	if !t.Written() {
		return true, nil
	}
	return Condition(t, file, view)
}

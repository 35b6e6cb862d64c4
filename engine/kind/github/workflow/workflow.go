// Package workflow reads what people write for GitHub Actions, workflow files
// and actions (action.yml), and says of each key what becomes of it on this
// machine. It is the one translation: what `github/workflow` runs, what
// `validate` and the dry run say of it, and what `import`, `coverage` and
// `drift` find are all made of it. It starts nothing and asks nobody.
//
// Files are parsed by actionlint; start with this file, then file.go, jobs.go
// and steps.go. The syntax is that of
// https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax.
package workflow

import (
	"fmt"
	"strings"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/kind/github/standin"
)

// MaxSize is how many bytes a file may have.
const MaxSize = 1 << 20

// Text is a scalar with its place. It may hold expressions. The zero value was
// not written.
type Text struct {
	Value        string
	Line, Column int // from 1
}

// Written reports whether the file has it.
func (t Text) Written() bool { return t.Line > 0 }

// Var is one entry of a mapping.
type Var struct {
	Name  string
	Value Text
}

// Env is an `env:` mapping, or one expression that gives one.
type Env struct {
	Vars []Var // in the order of the file
	Expr Text
}

// File is one workflow. It is not changed after it was read.
type File struct {
	Path    string // relative to the repository, with forward slashes
	Name    Text   // as its `name`; people see the path without one
	RunName Text
	Crons   []Cron   // of `on.schedule`
	Events  []string // all that it is for, in the order of the file
	Inputs  []Input  // of workflow_dispatch
	Call    *Called  // what it is to who calls it; nil: nobody may
	Env     Env
	Run     Defaults
	Group   Group
	Jobs    []*Job // in the order of the file

	// Constructs are all that was found, in the order of their places.
	Constructs []kind.Construct
	// Faults are for what GitHub refuses the file, though it can be read; it
	// never runs it then. In the order of their places.
	Faults []Fault
	// Secrets are the names of secrets that its expressions read, sorted, in
	// upper case; AllSecrets is set where one reads names that are not known
	// before evaluation. GITHUB_TOKEN is among them when github.token is read.
	Secrets    []string
	AllSecrets bool
}

// Cron is one entry of `on.schedule`.
type Cron struct {
	Cron     Text
	Timezone string // "": UTC
}

// Input is one input of a workflow or an action.
type Input struct {
	Name     string
	Type     string // string, boolean, number, choice or environment; "": string
	Required bool
	Default  Text
	Options  []string
}

// Called is `on.workflow_call`.
type Called struct {
	Inputs  []Input
	Secrets []string // names that may be given, in lower case
	Outputs []Var
}

// Defaults are `defaults.run`.
type Defaults struct{ Shell, Dir Text }

// Group is `concurrency`. Without a name there is none.
type Group struct {
	Name   Text
	Cancel Text // cancel-in-progress
}

// Job is one entry of `jobs`.
type Job struct {
	ID           string // as written
	Name         Text
	Line, Column int
	Needs        []string // ids as the jobs have them
	If           Text
	Env          Env
	Run          Defaults
	Group        Group
	Outputs      []Var
	Timeout      Text // in minutes
	Continue     Text // continue-on-error
	Matrix       *Matrix
	FailFast     Text
	MaxParallel  Text
	RunsOn       []Text // labels
	Environment  Text
	Steps        []*Step
	Uses         Text // a workflow, in place of steps
	With         []Var
	Secrets      []Var
	Inherit      bool // secrets: inherit

	// Cannot says why nothing of the job can run here; "": it can, as far as
	// is known before its expressions are evaluated.
	Cannot Reason
}

// Reason is why something cannot run here, with its place.
type Reason struct {
	Text         string // one line; "": it can run
	Line, Column int
}

// Matrix is `strategy.matrix`.
type Matrix struct {
	Line, Column     int
	Expr             Text // one expression for all of it
	Axes             []Axis
	Include, Exclude Combinations
}

// Axis is one list of values, or an expression that gives one.
type Axis struct {
	Name   string
	Values []any // of texts, numbers, booleans, null, lists and mappings; texts may hold expressions
	Expr   Text
	at     Text // its place
}

// Combinations are those of include or exclude.
type Combinations struct {
	List []any // each a mapping, or a text that is an expression
	Expr Text  // one expression for all of them
}

// Step is one entry of `steps`, of a job or a composite action.
type Step struct {
	ID           string // "": none
	Name         Text
	Line, Column int
	If           Text
	Run          Text // a script
	Shell, Dir   Text
	Uses         Text // an action
	With         []Var
	Env          Env
	Continue     Text
	Timeout      Text // in minutes

	// Kind is the step kind that stands in for the action, and Keys its `with`,
	// whose texts may hold expressions; "": none does.
	Kind  string
	Keys  []Key
	Saves bool // it saves files once the job has succeeded
	// Cannot says why the step cannot run here.
	Cannot Reason
}

// Key is a key of a step kind's `with`.
type Key struct {
	Name  string
	Value Text
	// Form is how the text becomes the value, once it was evaluated.
	Form standin.Form
}

// Label is how people know the step: its name, or what it does.
func (s *Step) Label() string {
	switch {
	case s.Name.Value != "":
		return s.Name.Value
	case s.Uses.Value != "":
		return "Run " + s.Uses.Value
	}
	first, _, _ := strings.Cut(strings.TrimSpace(s.Run.Value), "\n")
	return "Run " + strings.TrimSpace(first)
}

// Label is how people know the job.
func (j *Job) Label() string {
	if j.Name.Value != "" {
		return j.Name.Value
	}
	return j.ID
}

// Local reports whether `uses` names something of the repository itself.
func Local(uses string) bool { return strings.HasPrefix(uses, "./") }

// Fault is what is wrong with a file, and where.
type Fault struct {
	File         string
	Line, Column int // from 1; 0: not known
	Message      string
}

// Error is the place and what is wrong.
func (f *Fault) Error() string {
	switch {
	case f.Line == 0:
		return f.File + ": " + f.Message
	case f.Column == 0:
		return fmt.Sprintf("%s:%d: %s", f.File, f.Line, f.Message)
	}
	return fmt.Sprintf("%s:%d:%d: %s", f.File, f.Line, f.Column, f.Message)
}

// Job finds a job by its id, in any letter case.
func (f *File) Job(id string) *Job {
	for _, j := range f.Jobs {
		if strings.EqualFold(j.ID, id) {
			return j
		}
	}
	return nil
}

// Tree reports whether the job works on the work tree: it checks it out, or is
// another workflow that may. On GitHub each job has a tree of its own.
func (j *Job) Tree() bool {
	if j.Uses.Written() {
		return true
	}
	for _, s := range j.Steps {
		if s.Kind == "github/checkout" {
			return true
		}
	}
	return false
}

// Combinations are how many jobs its matrix makes, as far as that is known
// before its expressions are evaluated; without a matrix 1.
func (j *Job) Combinations() int {
	m := j.Matrix
	if m == nil || m.Expr.Written() {
		return 1
	}
	n := 1
	for _, a := range m.Axes {
		n = min(n*max(len(a.Values), 1), 1<<16)
	}
	if len(m.Axes) == 0 {
		return max(len(m.Include.List), 1)
	}
	return n + len(m.Include.List)
}

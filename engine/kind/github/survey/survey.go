// Package survey looks at a workflow with all of its repository that it uses, and
// says which of its jobs and steps cannot run here.
package survey

import (
	"errors"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/kind/github/workflow"
)

// Survey is a workflow with all of the repository that it uses.
type Survey struct {
	File       *workflow.File
	Constructs []kind.Construct // of all its files, the workflow's first
	Secrets    []string         // sorted
	AllSecrets bool

	actions map[string]*workflow.Action
	files   map[string]*workflow.File
	broken  map[string]error // of what cannot be read, by what `uses` says
}

// mostUsed is how many files a workflow may use.
const mostUsed = 200

// Look reads a workflow and, in turn, the actions and workflows of the
// repository that it uses. The error, a *workflow.Fault, is that the workflow itself
// cannot be read; what it uses and cannot be read makes the step that uses it
// one that cannot run.
func Look(read workflow.Reader, name string) (*Survey, error) {
	text, err := read(name)
	if err != nil {
		return nil, &workflow.Fault{File: name, Message: "the workflow cannot be read: " + cause(err)}
	}
	f, err := workflow.Parse(name, text)
	if err != nil {
		return nil, err
	}
	s := &Survey{File: f, actions: map[string]*workflow.Action{}, files: map[string]*workflow.File{}, broken: map[string]error{}}
	secrets := map[string]bool{}
	s.take(secrets, f)
	queue := used(f)
	for n := 0; n < len(queue) && n < mostUsed; n++ {
		uses := queue[n]
		if s.knows(uses) {
			continue
		}
		if isWorkflow(uses) {
			name := path.Clean(strings.TrimPrefix(uses, "./"))
			text, err := read(name)
			if err != nil {
				s.broken[uses] = &workflow.Fault{File: name, Message: "there is no such workflow"}
				continue
			}
			f, err := workflow.Parse(name, text)
			if err != nil {
				s.broken[uses] = err
				continue
			}
			s.files[uses] = f
			s.take(secrets, f)
			queue = append(queue, used(f)...)
			continue
		}
		a, err := workflow.ReadAction(read, uses)
		if err != nil {
			s.broken[uses] = err
			continue
		}
		s.actions[uses] = a
		s.Constructs = append(s.Constructs, a.Constructs...)
		for _, name := range a.Secrets {
			secrets[name] = true
		}
		queue = append(queue, usedBy(a.Steps)...)
	}
	s.Secrets = slices.Sorted(maps.Keys(secrets))
	return s, nil
}

// cause is an error in one line, without the path that stands before it anyway.
func cause(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return strings.Join(strings.Fields(err.Error()), " ")
}

func (s *Survey) knows(uses string) bool {
	return s.actions[uses] != nil || s.files[uses] != nil || s.broken[uses] != nil
}

func (s *Survey) take(secrets map[string]bool, f *workflow.File) {
	s.Constructs = append(s.Constructs, f.Constructs...)
	s.AllSecrets = s.AllSecrets || f.AllSecrets
	for _, name := range f.Secrets {
		secrets[name] = true
	}
}

// isWorkflow reports whether a `uses` names a workflow rather than an action.
func isWorkflow(uses string) bool {
	return strings.HasPrefix(uses, "./.github/workflows/") && (strings.HasSuffix(uses, ".yml") || strings.HasSuffix(uses, ".yaml"))
}

func used(f *workflow.File) (out []string) {
	for _, j := range f.Jobs {
		if workflow.Local(j.Uses.Value) {
			out = append(out, j.Uses.Value)
		}
		out = append(out, usedBy(j.Steps)...)
	}
	return out
}

func usedBy(steps []*workflow.Step) (out []string) {
	for _, s := range steps {
		if workflow.Local(s.Uses.Value) {
			out = append(out, s.Uses.Value)
		}
	}
	return out
}

package workflow

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/rhysd/actionlint"
	"gopkg.in/yaml.v3"

	"github.com/redundctl/redundctl/engine/kind"
)

// Action is an action of the repository itself: its action.yml. It is not
// changed after it was read.
type Action struct {
	Dir     string // relative to the repository, with forward slashes
	Path    string // of its file
	Name    string
	Inputs  []Input
	Outputs []Var // of a composite one, with their values
	Using   string
	Steps   []*Step // of a composite one
	// Main, Pre and Post are files of one that node runs, relative to Dir;
	// "": there is none.
	Main, Pre, Post string
	PreIf, PostIf   Text

	Constructs []kind.Construct
	Secrets    []string // as those of a File; GitHub gives them nothing but github.token
	Cannot     Reason   // why it cannot run here
}

// Reader gives the text of a file of the repository by its path, with forward
// slashes; what is no file of it is fs.ErrNotExist.
type Reader func(path string) ([]byte, error)

// Below reads files below a directory.
func Below(dir string) Reader {
	return func(name string) ([]byte, error) {
		name = path.Clean(name)
		if !filepath.IsLocal(filepath.FromSlash(name)) {
			return nil, fs.ErrNotExist
		}
		// What is no file, as a pipe, must not be waited for.
		f, err := os.OpenFile(filepath.Join(dir, filepath.FromSlash(name)), os.O_RDONLY|syscall.O_NONBLOCK, 0)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
			return nil, errors.Join(err, fs.ErrNotExist)
		}
		return io.ReadAll(io.LimitReader(f, MaxSize+1))
	}
}

// ReadAction reads the action in a folder of the repository, as `uses: ./folder`
// names it. The error, a *Fault, is that there is none, or that it cannot be
// read.
func ReadAction(read Reader, folder string) (*Action, error) {
	folder = path.Clean(strings.TrimPrefix(folder, "./"))
	for _, name := range []string{"action.yml", "action.yaml"} {
		text, err := read(path.Join(folder, name))
		switch {
		case err == nil:
			return ParseAction(path.Join(folder, name), text)
		case !errors.Is(err, fs.ErrNotExist):
			return nil, &Fault{File: path.Join(folder, name), Message: line("the action cannot be read: " + err.Error())}
		}
	}
	return nil, &Fault{File: path.Join(folder, "action.yml"), Message: "there is no such action"}
}

// ParseAction reads the text of an action. The error is a *Fault.
func ParseAction(name string, text []byte) (*Action, error) {
	if bad := refuse(name, text); bad != nil {
		return nil, bad
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, &Fault{File: name, Message: line(err.Error())}
	}
	top := resolved(&doc)
	if top == nil || top.Kind != yaml.MappingNode {
		return nil, &Fault{File: name, Line: 1, Message: "the action is no mapping"}
	}
	r := &actionReader{t: &translator{file: &File{Path: name}}, out: &Action{Path: name, Dir: path.Dir(name)}}
	if err := r.read(top); err != nil {
		return nil, err
	}
	r.t.finish()
	r.out.Constructs, r.out.Secrets = r.t.file.Constructs, r.t.file.Secrets
	return r.out, nil
}

// resolved is the value of a node, its aliases followed.
func resolved(n *yaml.Node) *yaml.Node {
	for range 10 {
		switch {
		case n == nil:
			return nil
		case n.Kind == yaml.AliasNode:
			n = n.Alias
		case n.Kind == yaml.DocumentNode:
			if len(n.Content) == 0 {
				return nil
			}
			n = n.Content[0]
		default:
			return n
		}
	}
	return nil
}

// entries gives the keys and values of a mapping.
func entries(n *yaml.Node, each func(key *yaml.Node, value *yaml.Node)) {
	if n = resolved(n); n == nil || n.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if v := resolved(n.Content[i+1]); v != nil {
			each(n.Content[i], v)
		}
	}
}

// scalar is a text of a node; nil: it is none.
func scalar(n *yaml.Node) *actionlint.String {
	if n == nil || n.Kind != yaml.ScalarNode {
		return nil
	}
	quoted := n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0
	return &actionlint.String{Value: n.Value, Quoted: quoted, Pos: place(n)}
}

func place(n *yaml.Node) *actionlint.Pos { return &actionlint.Pos{Line: n.Line, Col: n.Column} }

func word(n *yaml.Node) string {
	if s := scalar(n); s != nil {
		return s.Value
	}
	return ""
}

// actionReader reads one action.
type actionReader struct {
	t   *translator
	out *Action
}

func (r *actionReader) read(top *yaml.Node) error {
	var runs *yaml.Node
	entries(top, func(k, v *yaml.Node) {
		switch k.Value {
		case "name":
			r.out.Name = word(v)
		case "inputs":
			entries(v, func(k, v *yaml.Node) {
				in := Input{Name: k.Value, Type: "string"}
				entries(v, func(k, v *yaml.Node) {
					switch k.Value {
					case "default":
						in.Default = r.t.value(scalar(v))
					case "required":
						in.Required = word(v) == "true"
					}
				})
				r.out.Inputs = append(r.out.Inputs, in)
			})
		case "outputs":
			entries(v, func(k, v *yaml.Node) {
				out := Var{Name: k.Value}
				entries(v, func(k, v *yaml.Node) {
					if k.Value == "value" {
						out.Value = r.t.text(scalar(v))
					}
				})
				r.out.Outputs = append(r.out.Outputs, out)
			})
		case "runs":
			runs = v
		}
	})
	if runs == nil || runs.Kind != yaml.MappingNode {
		return &Fault{File: r.out.Path, Line: top.Line, Message: "the action has no runs"}
	}
	return r.runs(runs)
}

func (r *actionReader) runs(n *yaml.Node) error {
	keys := map[string]*yaml.Node{}
	entries(n, func(k, v *yaml.Node) { keys[k.Value] = v })
	a, t := r.out, r.t
	a.Using = word(keys["using"])
	pos := place(n)
	if keys["using"] != nil {
		pos = place(keys["using"])
	}
	switch using := strings.ToLower(a.Using); {
	case using == "composite":
		t.exact("runs.using", pos)
		list := keys["steps"]
		if list == nil || list.Kind != yaml.SequenceNode {
			return &Fault{File: a.Path, Line: n.Line, Message: "the composite action has no steps"}
		}
		for i, s := range list.Content {
			if s = resolved(s); s == nil || s.Kind != yaml.MappingNode {
				return &Fault{File: a.Path, Line: list.Line, Message: fmt.Sprintf("step %d is no mapping", i+1)}
			}
			a.Steps = append(a.Steps, t.step("runs.", i, stepOf(s)))
		}
	case strings.HasPrefix(using, "node"):
		a.Main, a.Pre, a.Post = word(keys["main"]), word(keys["pre"]), word(keys["post"])
		a.PreIf, a.PostIf = t.condition(scalar(keys["pre-if"])), t.condition(scalar(keys["post-if"]))
		if a.Main == "" {
			return &Fault{File: a.Path, Line: n.Line, Message: "the action has no main"}
		}
		t.like("runs.using", pos, "node is the one of this machine, whatever its version")
	case using == "docker":
		a.Cannot = t.cannot("runs.using", pos, noContainer)
	case using == "":
		return &Fault{File: a.Path, Line: n.Line, Message: "the action does not say what runs it (using)"}
	default:
		a.Cannot = t.cannot("runs.using", pos, a.Using+" is nothing that runs here")
	}
	return nil
}

// stepOf is a step of a composite action as the parser of workflows gives one.
func stepOf(n *yaml.Node) *actionlint.Step {
	out := &actionlint.Step{Pos: place(n)}
	run, uses := &actionlint.ExecRun{}, &actionlint.ExecAction{Inputs: map[string]*actionlint.Input{}}
	entries(n, func(k, v *yaml.Node) {
		s := scalar(v)
		switch k.Value {
		case "id":
			out.ID = s
		case "name":
			out.Name = s
		case "if":
			out.If = s
		case "run":
			run.Run, run.RunPos = s, place(v)
		case "shell":
			run.Shell = s
		case "working-directory":
			run.WorkingDirectory = s
		case "uses":
			uses.Uses = s
		case "with":
			entries(v, func(k, v *yaml.Node) {
				if s := scalar(v); s != nil {
					uses.Inputs[strings.ToLower(k.Value)] = &actionlint.Input{Name: scalar(k), Value: s}
				}
			})
		case "env":
			out.Env = &actionlint.Env{Vars: map[string]*actionlint.EnvVar{}}
			entries(v, func(k, v *yaml.Node) {
				if s := scalar(v); s != nil && scalar(k) != nil {
					out.Env.Vars[k.Value] = &actionlint.EnvVar{Name: scalar(k), Value: s}
				}
			})
		case "continue-on-error":
			if s != nil {
				out.ContinueOnError = &actionlint.Bool{Value: s.Value == "true", Pos: s.Pos}
				if s.ContainsExpression() {
					out.ContinueOnError.Expression = s
				}
			}
		}
	})
	switch {
	case run.Run != nil:
		out.Exec = run
	case uses.Uses != nil:
		out.Exec = uses
	}
	return out
}

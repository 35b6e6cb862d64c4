// Package finder finds the workflows of a repository that have a schedule, and
// says which pipeline would back each up. It reads files and does nothing else.
package finder

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"gopkg.in/yaml.v3"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/kind/github/local"
	"github.com/redundctl/redundctl/engine/kind/github/survey"
	"github.com/redundctl/redundctl/engine/kind/github/workflow"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/schedule"
)

// Folder is where GitHub looks for workflows.
const Folder = ".github/workflows"

// System is the system of the pipelines.
const System = "github-actions"

// Finder is that of GitHub Actions.
func Finder() kind.Finder {
	return kind.Finder{Name: "actions", System: System, Find: find, Backs: backs}
}

// find reads every workflow, several at a time.
func find(ctx context.Context, s kind.Search) ([]kind.Found, error) {
	names, root, err := list(s)
	if err != nil {
		return nil, err
	}
	repo := local.Open(root)
	zones := new(schedule.Zones)
	each := make([][]kind.Found, len(names))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, name := range names {
		group.Go(func() error {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			o := one{root: root, name: name, repo: repo, zones: zones}
			each[i] = o.find()
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return slices.Concat(each...), nil
}

// list gives the files, by their paths from the root, in order.
func list(s kind.Search) (names []string, root string, err error) {
	root, at := s.Root, s.Path
	if at == "" {
		at = filepath.Join(root, filepath.FromSlash(Folder))
	}
	info, err := os.Stat(at)
	switch {
	case errors.Is(err, fs.ErrNotExist) && s.Path == "":
		return nil, root, nil
	case err != nil:
		return nil, root, fmt.Errorf("workflows cannot be looked for: %w", err)
	}
	if !info.IsDir() {
		return []string{s.Rel(at)}, root, nil
	}
	// A folder may be the repository itself.
	if sub := filepath.Join(at, filepath.FromSlash(Folder)); s.Path != "" {
		if info, err := os.Stat(sub); err == nil && info.IsDir() {
			at = sub
		}
	}
	entries, err := os.ReadDir(at)
	if err != nil {
		return nil, root, fmt.Errorf("workflows cannot be looked for: %w", err)
	}
	for _, e := range entries {
		if ext := filepath.Ext(e.Name()); (ext == ".yml" || ext == ".yaml") && !e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			names = append(names, s.Rel(filepath.Join(at, e.Name())))
		}
	}
	slices.Sort(names)
	return names, root, nil
}

// one is one file that is looked at.
type one struct {
	root, name string
	repo       local.Repository
	zones      *schedule.Zones
}

// read reads files of the project, also one that lies outside because a person
// named it.
func (o *one) read(name string) ([]byte, error) {
	if name == o.name && !filepath.IsLocal(filepath.FromSlash(name)) {
		p := filepath.Join(o.root, filepath.FromSlash(name))
		return workflow.Below(filepath.Dir(p))(filepath.Base(p))
	}
	return workflow.Below(o.root)(name)
}

func (o *one) find() []kind.Found {
	out := kind.Found{Primary: path.Base(o.name), Name: Name(o.name), Source: o.name}
	s, err := survey.Look(o.read, o.name)
	if err != nil {
		var bad *workflow.Fault
		if !errors.As(err, &bad) {
			bad = &workflow.Fault{File: o.name, Message: err.Error()}
		}
		out.Line, out.Broken = bad.Line, bad.Error()
		return []kind.Found{out}
	}
	if len(s.File.Crons) == 0 {
		return nil
	}
	out.Line = s.File.Crons[0].Cron.Line
	out.Constructs = s.Constructs
	if o.repo.Origin.Slug() == "" {
		out.Constructs = append(slices.Clip(out.Constructs), kind.Construct{Key: "repository", Support: kind.Approximated, File: o.name, Line: out.Line,
			Note: "git names no remote `origin` here: write owner/name into the pipeline before you arm it, for GitHub knows no " + nobody})
	}
	out.Secrets = s.Secrets
	out.Script = o.sum()
	dues, period, notes := o.schedules(s.File)
	out.Schedules = dues
	if len(s.File.Faults) > 0 {
		notes = append([]string{"GitHub refuses the file and never runs it: " + s.File.Faults[0].Error()}, notes...)
	}
	out.Note = strings.Join(notes, "; ")
	for _, b := range s.Blocked("schedule") {
		if !b.Given {
			out.Disabled = "it cannot run here: " + b.String()
			break
		}
	}
	entries := entries(dues, o.zones)
	if len(entries) == 0 && out.Disabled == "" {
		out.Disabled = "it has no schedule that can be kept"
	}
	out.Draft = o.draft(s, entries, period)
	return []kind.Found{out}
}

// schedules are all entries, and what is wrong with them; period is the shortest
// time between two slots of one.
func (o *one) schedules(f *workflow.File) (dues []kind.Due, period time.Duration, notes []string) {
	for _, c := range f.Crons {
		dues = append(dues, kind.Due{Cron: c.Cron.Value, Timezone: c.Timezone, File: o.name, Line: c.Cron.Line})
		at := fmt.Sprintf("line %d: ", c.Cron.Line)
		if why := foreign(c.Cron.Value); why != "" {
			notes = append(notes, at+why)
		}
		s, err := o.zones.Parse(pipeline.Schedule{Cron: c.Cron.Value, Timezone: zone(c.Timezone)})
		if err != nil {
			notes = append(notes, at+"GitHub never fires this schedule: "+err.Error())
			continue
		}
		now := time.Now()
		p := s.Shortest(now)
		if _, ok := s.Next(now); !ok {
			notes = append(notes, at+"this schedule never comes")
		}
		if p > 0 && (period == 0 || p < period) {
			period = p
		}
		if p > 0 && p < 5*time.Minute {
			notes = append(notes, at+"GitHub runs a workflow every 5 minutes at most")
		}
	}
	return dues, period, notes
}

// foreign says what of a cron expression GitHub does not take, though we would.
func foreign(cron string) string {
	switch n := len(strings.Fields(cron)); {
	case strings.HasPrefix(cron, "@"):
		return "GitHub does not know " + cron + " and never fires it"
	case n == 6:
		return "GitHub takes 5 fields and never fires a schedule with seconds"
	}
	return ""
}

func zone(s string) string {
	if s == "" {
		return "UTC"
	}
	return s
}

// entries are the schedules that the pipeline has, each once.
func entries(dues []kind.Due, zones *schedule.Zones) (out []any) {
	seen := map[kind.Due]bool{}
	for _, d := range dues {
		key := kind.Due{Cron: d.Cron, Timezone: d.Timezone}
		s, err := zones.Parse(pipeline.Schedule{Cron: d.Cron, Timezone: zone(d.Timezone)})
		if err != nil || seen[key] {
			continue
		}
		if _, ok := s.Next(time.Now()); !ok {
			continue
		}
		seen[key] = true
		m := kind.Map{{Key: "cron", Value: d.Cron}}
		if d.Timezone != "" {
			m = append(m, kind.Field{Key: "timezone", Value: d.Timezone})
		}
		out = append(out, m)
	}
	return out
}

// sum is the hash of what the workflow does, without what starts it: comments
// and the way it is written do not count.
func (o *one) sum() string {
	text, err := o.read(o.name)
	if err != nil {
		return ""
	}
	var v any
	if yaml.Unmarshal(text, &v) != nil {
		sum := sha256.Sum256(text)
		return hex.EncodeToString(sum[:])
	}
	if m, ok := v.(map[string]any); ok {
		delete(m, "on")
	}
	b, err := json.Marshal(keyed(v))
	if err != nil {
		b = text
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// keyed is a value whose mappings have texts as keys, as JSON wants them.
func keyed(v any) any {
	switch x := v.(type) {
	case map[string]any:
		for k, y := range x {
			x[k] = keyed(y)
		}
	case map[any]any:
		out := make(map[string]any, len(x))
		for k, y := range x {
			out[fmt.Sprint(k)] = keyed(y)
		}
		return out
	case []any:
		for i, y := range x {
			x[i] = keyed(y)
		}
	}
	return v
}

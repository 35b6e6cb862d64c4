package finder

import (
	"math"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/kind/github/survey"
	"github.com/redundctl/redundctl/engine/kind/github/workflow"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// nobody stands for the repository where git does not name one.
const nobody = "OWNER/REPOSITORY"

// usual is how long GitHub lets a job run that names no time.
const usual = 360 * time.Minute

// longest bounds what is taken from a file: GitHub ends a run after 35 days.
const longest = 35 * 24 * time.Hour

// draft is the pipeline.
func (o *one) draft(s *survey.Survey, schedules []any, period time.Duration) kind.Map {
	f := s.File
	what := "Backs up the workflow " + path.Base(o.name)
	if name := strings.TrimSpace(f.Name.Value); name != "" && !strings.Contains(name, "${{") {
		what += ": " + strings.Join(strings.Fields(name), " ")
	}
	primary := kind.Map{{Key: "repository", Value: nobody, Comment: "write owner/name: git names no remote `origin` here"}}
	if slug := o.repo.Origin.Slug(); slug != "" {
		primary = kind.Map{{Key: "repository", Value: slug}}
	}
	primary = append(primary, kind.Field{Key: "workflow", Value: path.Base(o.name)})
	if host := o.repo.Origin.Host; host != "" && host != "github.com" && host != "ssh.github.com" {
		primary = append(primary, kind.Field{Key: "api-url", Value: "https://" + host + "/api/v3"})
	}
	out := kind.Map{
		{Key: "description", Value: what},
		{Key: "category", Value: "ci"},
		{Key: "primary", Value: kind.Map{{Key: "github-workflow", Value: primary}}},
	}
	if period > 0 && period < time.Hour {
		out = append(out, kind.Field{Key: "covers", Value: "since"})
	}
	if len(schedules) > 0 {
		out = append(out, kind.Field{Key: "schedule", Value: schedules})
	}
	out = append(out, kind.Field{Key: "timeout", Value: pipeline.Duration(limit(f)).String()})
	if names := declared(s.Secrets); len(names) > 0 {
		out = append(out, kind.Field{Key: "secrets", Value: names})
	}
	return append(out, kind.Field{Key: "steps", Value: []any{
		kind.Map{{Key: "uses", Value: "github/workflow"}, {Key: "with", Value: kind.Map{{Key: "file", Value: o.name}}}},
	}})
}

// declared are the names that a pipeline may declare.
func declared(names []string) (out []any) {
	for _, n := range names {
		if n != "" && strings.Trim(n, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == "" && (n[0] < '0' || n[0] > '9') {
			out = append(out, n)
		}
	}
	return out
}

// limit is how long the whole may take: the jobs along what they need, or those
// that share the work tree one after another, whichever is longer.
func limit(f *workflow.File) time.Duration {
	ends := map[string]time.Duration{}
	var shared, end time.Duration
	for range f.Jobs { // as often as a chain may be long
		changed := false
		for _, j := range f.Jobs {
			var begin time.Duration
			for _, n := range j.Needs {
				begin = max(begin, ends[n])
			}
			if e := min(begin+most(j), longest); e > ends[j.ID] {
				ends[j.ID], changed = e, true
			}
			end = max(end, ends[j.ID])
		}
		if !changed {
			break
		}
	}
	for _, j := range f.Jobs {
		if j.Tree() {
			shared = min(shared+most(j), longest)
		}
	}
	return max(end, shared, time.Minute)
}

// most is how long a job may take, with all combinations that are known.
func most(j *workflow.Job) time.Duration {
	d := usual
	if m, err := strconv.ParseFloat(j.Timeout.Value, 64); err == nil && m > 0 {
		d = time.Duration(math.Min(math.Ceil(m), longest.Minutes())) * time.Minute
	}
	if n := j.Combinations(); n > 1 && j.Tree() {
		return min(d*time.Duration(min(n, 256)), longest)
	}
	return d
}

// Name is the name of a pipeline for a file.
func Name(file string) string {
	return kind.Name(kind.Words(strings.TrimSuffix(path.Base(file), path.Ext(file))), "workflow")
}

// backs reports whether a pipeline's primary is this workflow.
func backs(p *pipeline.Primary, f *kind.Found) bool {
	if p == nil || p.Kind != "github-workflow" {
		return false
	}
	file, ok := p.With["workflow"].(string)
	if !ok || path.Base(filepath.ToSlash(file)) != path.Base(f.Source) {
		return false
	}
	theirs, _ := p.With["repository"].(string)
	ours := repository(f.Draft)
	return ours == "" || ours == nobody || theirs == nobody || strings.Contains(theirs, "${{") || strings.EqualFold(ours, theirs)
}

// repository is the one that a draft names.
func repository(draft kind.Map) string {
	for _, key := range []string{"primary", "github-workflow"} {
		i := slices.IndexFunc(draft, func(f kind.Field) bool { return f.Key == key })
		if i < 0 {
			return ""
		}
		draft, _ = draft[i].Value.(kind.Map)
	}
	for _, f := range draft {
		if f.Key == "repository" {
			s, _ := f.Value.(string)
			return s
		}
	}
	return ""
}

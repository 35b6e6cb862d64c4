package kind

import (
	"context"
	"path/filepath"

	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/proc"
)

// Finder finds the primaries of one system in a project, and says of each which
// pipeline would back it up. It is safe for concurrent use.
type Finder struct {
	Name   string // what `import` takes: pm2, actions or netlify
	System string // the system of its pipelines
	// Find gives what there is, in order of source and line. One source that is
	// broken is one Found that says so, never an error: the error is that
	// nothing could be looked at. It writes nothing, and runs no code of the
	// project unless the search says that it may.
	Find func(ctx context.Context, s Search) ([]Found, error)
	// Backs reports whether a pipeline with this primary backs up what was
	// found.
	Backs func(p *pipeline.Primary, f *Found) bool
}

// Search is where a Finder looks.
type Search struct {
	Root string // the project root, absolute
	// Path is the file or the folder that `import` was given, absolute; "":
	// where files of the system usually lie below Root.
	Path string
	// Evaluate is set when a person has asked for files of the project that are
	// code to be evaluated (`init`, `import`). `coverage` and `drift` read them.
	Evaluate bool
	Proc     *proc.Spawner // starts what evaluates; nil without Evaluate
	Env      []string      // its environment, KEY=VALUE
}

// Rel is a path as Found.Source has it: relative to the root, with forward
// slashes.
func (s *Search) Rel(path string) string {
	if rel, err := filepath.Rel(s.Root, path); err == nil {
		path = rel
	}
	return filepath.ToSlash(path)
}

// Found is one primary, and the pipeline that would back it up.
type Found struct {
	Primary string // as its system calls it: a workflow's file, an application, a function
	Name    string // of its pipeline, as the language wants names; discover makes it unique
	Source  string // its file relative to the root, with forward slashes
	Line    int    // from 1; 0: the whole file
	// Broken says in one line why the source cannot be read: there is no
	// pipeline for it then, and it counts as uncovered.
	Broken string
	// Note is what a person should know of it besides, in one line: as that its
	// platform never fires its schedule.
	Note string
	// Evaluated is set when the source is code that was run to read it, which
	// people are told: never without Search.Evaluate.
	Evaluated bool

	Schedules []Due    // when its platform runs it, or was meant to; none for a service
	Secrets   []string // names of the secrets that it uses, sorted
	// Script is a SHA-256, in hex, of what the primary does, without its
	// schedule: what `drift` compares.
	Script string

	Draft      Map    // the keys of the pipeline but for version, name, system and enabled
	Disabled   string // why the pipeline cannot run here, in one line; "": it can
	Constructs []Construct
}

// Due is one schedule of a primary.
type Due struct {
	Cron     string
	Timezone string // "": UTC
	// Local is set where the source names no time zone, for its platform takes that
	// of the machine it runs on: Timezone is this machine's, and proves nothing of
	// another's.
	Local bool
	File  string // where it stands, relative to the root
	Line  int
}

// Map is a mapping of YAML that keeps its order. Values are what YAML knows,
// Map and []any among them.
type Map []Field

// Field is one key of a Map.
type Field struct {
	Key     string
	Value   any
	Comment string // written behind the value; "": none
}

// Support says how far a construct of a primary means here what it means there.
type Support string

// The degrees of Support.
const (
	Exact        Support = "exact"
	Approximated Support = "approximated" // the note says what differs
	Unsupported  Support = "unsupported"  // the note says what becomes of it
)

// Construct is one key of a primary's source.
type Construct struct {
	Key     string // as jobs.build.services, cron_restart, config.schedule
	Support Support
	File    string // relative to the root
	Line    int    // from 1; 0: the whole file
	Column  int    // from 1; 0: the line
	Note    string // "" for what is exact
}

package cover

import (
	"bytes"
	"os"
	"slices"

	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/config/files"
	"github.com/redundctl/redundctl/engine/discover"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/source"
)

// record is what a file keeps of its primary as it was imported.
type record struct {
	source, script string
	file           string // the hash of the source, if it was run
	scheduled      bool
	secrets        []string
}

// imported reads it. ok is false for a pipeline that was not imported, or whose
// file says nothing of it.
func imported(p *config.Project, x *pipeline.Pipeline) (r record, ok bool) {
	return recorded(p, x, "")
}

// recorded is imported for files whose record, or what stands below it, holds a
// text: to parse them all costs more than to read them.
func recorded(p *config.Project, x *pipeline.Pipeline, text string) (r record, ok bool) {
	all, err := os.ReadFile(files.Under(p.Root, x.File))
	at := bytes.Index(all, []byte(discover.Imported))
	if err != nil || at < 0 || !bytes.Contains(all[at:], []byte(text)) {
		return r, false
	}
	c := &p.Config.Limits
	f, problems := source.Parse(x.File, all, source.Limits{FileSize: int64(c.FileSize), Aliases: c.Aliases, Depth: c.Depth})
	root, _ := f.Value.(map[string]any)
	m, _ := root[discover.Imported].(map[string]any)
	if len(problems) > 0 || m == nil {
		return r, false
	}
	r.source, _ = m["source"].(string)
	r.file, _ = m["file"].(string)
	r.script, _ = m["script"].(string)
	schedules, _ := m["schedules"].([]any)
	r.scheduled = len(schedules) > 0
	list, _ := m["secrets"].([]any)
	for _, s := range list {
		if s, ok := s.(string); ok {
			r.secrets = append(r.secrets, s)
		}
	}
	return r, r.source != ""
}

// asBefore gives what was imported of a source that nobody can read now without
// running it, and that is the same as then: pipelines still back it up. It gives
// none of one that is broken, or has changed.
func (f *Facts) asBefore(x *discover.Primary) []*pipeline.Pipeline {
	if f.imports == nil {
		f.imports = map[string][]*pipeline.Pipeline{}
		for _, p := range f.Project.Pipelines {
			if p.Primary == nil {
				continue
			}
			if r, ok := recorded(f.Project, p, "file: "); ok && r.file != "" {
				f.imports[r.source+" "+r.file] = append(f.imports[r.source+" "+r.file], p)
			}
		}
	}
	if len(f.imports) == 0 {
		return nil
	}
	return slices.Clip(f.imports[x.Source+" "+discover.Sum(files.Under(f.Project.Root, x.Source))])
}

package config

import (
	"path"

	"github.com/redundctl/redundctl/engine/config/check"
	"github.com/redundctl/redundctl/engine/config/files"
	"github.com/redundctl/redundctl/engine/diag"
)

// Try checks a text as if it were the file of a pipeline with that name, from
// the project root, which need not be there. It checks the file by itself, as
// Load does, and not against the others. It may be called side by side.
func (p *Project) Try(name string, text []byte) []diag.Problem {
	k := p.check
	c := &check.Project{Root: k.Root, Config: k.Config, Settings: k.Settings, Blind: k.Blind, Notify: k.Notify, Kinds: k.Kinds, Secrets: k.Secrets,
		Programs: k.Programs, Actions: k.Actions, Instead: &files.Instead{Path: p.abs(name), Text: text}}
	f := &check.File{Project: c, Found: files.Found{Name: name, Folder: path.Base(path.Dir(name))}}
	f.Read()
	return f.Problems
}

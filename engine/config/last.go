package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/redundctl/redundctl/engine/config/files"
	"github.com/redundctl/redundctl/engine/config/settings"
)

// goodName is the file of the state directory that holds the last good form of
// redund.yaml.
const goodName = "redund.yaml.good"

// fallBack has the last good form of redund.yaml hold, which is that of the
// project before or the one that was kept; when there is none, nothing changes.
func (p *Project) fallBack(broken, good *settings.File) *settings.File {
	if good == nil || good.Invalid {
		text, err := os.ReadFile(filepath.Join(p.State, goodName))
		if err != nil {
			return broken
		}
		good = settings.Load(p.Root, p.options.Environment, p.options.Kinds.Schemas(), &files.Instead{Path: p.abs(p.ConfigFile), Text: text})
		// One that names another state directory was not kept for this one.
		if good.Invalid || p.abs(good.Config.State) != p.State {
			return broken
		}
	}
	p.Config, p.ConfigInvalid, p.ConfigKept = good.Config, false, true
	p.State = p.abs(p.Config.State)
	return good
}

// KeepSettings keeps redund.yaml in the state directory, which must be there,
// for a start with a broken one. It has only got ready when it returns: the
// function that it gives does it in one step.
func (p *Project) KeepSettings() (func() error, error) {
	nothing := func() error { return nil }
	// A form that names another state directory is none to begin with in this one.
	if p.ConfigInvalid || p.ConfigKept || p.Moves() {
		return nothing, nil
	}
	text := []byte("version: 1\n") // what no file means
	if s := p.kept.settings.Source; s != nil {
		text = s.Text
	}
	path := filepath.Join(p.State, goodName)
	if have, err := os.ReadFile(path); err == nil && string(have) == string(text) {
		return nothing, nil
	}
	if err := write(path+".new", text); err != nil {
		return nil, fmt.Errorf("%s cannot be kept for a start with a broken one: %w", p.ConfigFile, err)
	}
	return func() error { return os.Rename(path+".new", path) }, nil
}

// Lacks reports whether redund.yaml was there before and is not now.
func (p *Project) Lacks(before *Project) bool {
	return before.kept.settings.Source != nil && p.kept.settings.Source == nil && !p.kept.settings.Blind
}

// write writes a file, and has it on the disk when it returns.
func write(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Sync(), f.Close())
}

// Package builtin is the plain list of the kinds that are shipped. A new kind
// is one line here and nothing elsewhere.
package builtin

import (
	"slices"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/kind/artifact"
	"github.com/redundctl/redundctl/engine/kind/git"
	"github.com/redundctl/redundctl/engine/kind/github"
	"github.com/redundctl/redundctl/engine/kind/heartbeat"
	"github.com/redundctl/redundctl/engine/kind/nested"
	"github.com/redundctl/redundctl/engine/kind/netlify"
	"github.com/redundctl/redundctl/engine/kind/netlify/finder"
	"github.com/redundctl/redundctl/engine/kind/notify"
	"github.com/redundctl/redundctl/engine/kind/plugin"
	"github.com/redundctl/redundctl/engine/kind/pm2"
	"github.com/redundctl/redundctl/engine/kind/pm2/ecosystem"
	"github.com/redundctl/redundctl/engine/kind/shell"
	"github.com/redundctl/redundctl/engine/kind/web"
)

//go:generate go run ./gen ../..

// Kinds are the kinds that are shipped, in the order of the reference pages.
func Kinds() *kind.Set {
	return &kind.Set{
		Send: notify.Send, Service: notify.Service,
		Actions: slices.Concat(
			shell.Kinds(),
			[]kind.Action{web.Kind()},
			git.Kinds(),
			[]kind.Action{pm2.Kind()},
			github.Kinds(artifact.Kinds()),
			artifact.Kinds(),
			[]kind.Action{netlify.Kind(web.Kind())},
			[]kind.Action{nested.Kind(), notify.Kind()},
		),
		Primaries: slices.Concat(
			[]kind.Primary{github.Primary()},
			[]kind.Primary{pm2.Primary()},
			[]kind.Primary{netlify.Primary(web.Primary(), heartbeat.Primary())},
			[]kind.Primary{web.Primary()},
			heartbeat.Primaries(),
			[]kind.Primary{shell.Primary()},
		),
		Finders: []kind.Finder{
			ecosystem.Finder(),
			github.Finder(),
			finder.Finder(),
		},
	}
}

// Plugins makes the kinds of `plugin:<name>`: those that paths names, relative
// to root, and those that lie in PATH.
func Plugins(paths map[string]string, root, path string) func(name string) kind.Action {
	return plugin.New(paths, root, path)
}

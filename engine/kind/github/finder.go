package github

import (
	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/kind/github/finder"
)

// Finder finds the workflows of a repository that have a schedule.
func Finder() kind.Finder { return finder.Finder() }

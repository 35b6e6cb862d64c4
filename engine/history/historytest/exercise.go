// Package historytest is the suite that every backend of the history passes.
package historytest

import (
	"testing"

	"github.com/redundctl/redundctl/engine/history"
)

// Exercise runs the suite; open gives an empty history that is closed with the test.
func Exercise(t *testing.T, open func(t *testing.T) *history.History) {
	t.Helper()
	_ = open
}

// Package priority reads the priorities of runs that wait.
package priority

import "github.com/redundctl/redundctl/engine/history"

// Of is the number of a priority as it is written in a pipeline; what is
// none of them is normal.
func Of(word string) int {
	switch word {
	case "low":
		return history.Low
	case "high":
		return history.High
	case "critical":
		return history.Critical
	}
	return history.Normal
}

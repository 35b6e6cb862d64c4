package runner

import (
	"fmt"
	"maps"
	"path/filepath"
)

// merged is a and, over it, b: a new map.
func merged(a, b map[string]string) map[string]string {
	if len(b) == 0 {
		return a
	}
	out := make(map[string]string, len(a)+len(b))
	maps.Copy(out, a)
	maps.Copy(out, b)
	return out
}

func within(key string, err error) error { return fmt.Errorf("%s: %w", key, err) }

// artifacts is where the steps of a run leave files that are kept.
func artifacts(temp string) string {
	if temp == "" {
		return ""
	}
	return filepath.Join(temp, "artifacts")
}

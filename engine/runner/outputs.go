package runner

import (
	"fmt"
	"path/filepath"
)

func within(key string, err error) error { return fmt.Errorf("%s: %w", key, err) }

// artifacts is where the steps of a run leave files that are kept.
func artifacts(temp string) string {
	if temp == "" {
		return ""
	}
	return filepath.Join(temp, "artifacts")
}

package runner

import "fmt"

func within(key string, err error) error { return fmt.Errorf("%s: %w", key, err) }

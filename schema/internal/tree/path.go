package tree

import (
	"cmp"
	"fmt"
	"slices"
)

// ComparePaths orders paths of keys and indexes.
func ComparePaths(a, b []any) int {
	return slices.CompareFunc(a, b, func(x, y any) int {
		switch x := x.(type) {
		case int:
			if y, ok := y.(int); ok {
				return cmp.Compare(x, y)
			}
		case string:
			if y, ok := y.(string); ok {
				return cmp.Compare(x, y)
			}
		}
		return cmp.Compare(fmt.Sprint(x), fmt.Sprint(y))
	})
}

// Join puts a key below a path, which is empty at the top: steps.uses.
func Join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

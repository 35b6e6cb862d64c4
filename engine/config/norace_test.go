//go:build !race

package config_test

// race reports that the race detector, which makes everything slow, watches.
const race = false

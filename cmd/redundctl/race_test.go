//go:build race

package main

// race reports that the race detector, which makes everything slow, watches.
const race = true

// Package secret is where a secret is read from, and a writer that masks it
// in every form in which it may turn up.
package secret

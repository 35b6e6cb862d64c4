// Package store opens the database of a project's state directory, brings its
// tables up to date and carries transactions. It is the only package that
// knows the database; what the tables mean is known to engine/history.
//
// Start with Open, then DB.Write, DB.Fast and DB.Read.
package store

import (
	"context"
	"errors"
)

// Options says which database to open.
type Options struct {
	Dir      string // the state directory
	ReadOnly bool   // makes nothing; a database that is missing reads as an empty one
}

// DB is an open database. Its methods may be called from several goroutines.
type DB struct{}

// Tx is one transaction; it must not be used after the function it was given to returned.
type Tx struct{}

// Row is one row of a result; its values are read by their position.
type Row struct{}

// Lease marks the process that holds it as alive.
type Lease struct{ ID string }

// Open opens the database.
func Open(_ context.Context, _ Options) (*DB, error) { return nil, errors.New("not built yet") }

// Close closes the database.
func (d *DB) Close() error { return nil }

// Write runs f in a transaction that survives a power cut.
func (d *DB) Write(_ context.Context, _ func(*Tx) error) error { return nil }

// Fast runs f in a transaction that survives a killed process.
func (d *DB) Fast(_ context.Context, _ func(*Tx) error) error { return nil }

// Read runs f over one consistent state of the database.
func (d *DB) Read(_ context.Context, _ func(*Tx) error) error { return nil }

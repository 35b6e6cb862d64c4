package store

import (
	"context"
	_ "embed" // the tables
	"errors"
	"fmt"
	"os"
	"time"
)

var (
	//go:embed migrations/0001.sql
	first string
	//go:embed migrations/0002.sql
	second string
	//go:embed migrations/0003.sql
	third string
	//go:embed migrations/0004.sql
	fourth string
	//go:embed migrations/0005.sql
	fifth string
	//go:embed migrations/0006.sql
	sixth string
	//go:embed migrations/0007.sql
	seventh string
	//go:embed migrations/0008.sql
	eighth string
	//go:embed migrations/0009.sql
	ninth string
)

// migrations is how the tables came to be, step by step; one is never changed
// once it was released.
var migrations = [...]string{first, second, third, fourth, fifth, sixth, seventh, eighth, ninth}

// lockPath is the file whose lock is held by who makes the database or changes
// its tables.
func (d *DB) lockPath() string { return d.path + ".lock" }

// migrate makes the database when it is missing and brings the tables up to
// date, one process at a time: without the lock one of two that begin together
// fails, or takes the other's new file for one that has lost what it held.
func (d *DB) migrate(ctx context.Context) error {
	release, err := lockFile(ctx, d.lockPath(), os.O_CREATE|os.O_RDWR)
	if err != nil {
		return err
	}
	defer release()
	state, err := d.judge()
	if err != nil {
		return err
	}
	if state == missing && !d.readOnly {
		f, err := os.OpenFile(d.path, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return err
		}
		f.Close()
	}
	c, err := d.connect(fullMode)
	if err != nil {
		return err
	}
	version, err := c.version()
	if err == nil && version == 0 {
		// To give room back must be asked for before there is a table.
		err = c.Exec("PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL")
		own(d.path) // those beside an empty database were made anew
	}
	for ; err == nil && version < len(migrations); version++ {
		err = c.Exec(fmt.Sprintf("BEGIN IMMEDIATE; %s; INSERT INTO schema_version VALUES (%d, %d); COMMIT",
			migrations[version], version+1, time.Now().UnixMicro()))
	}
	if err != nil {
		if !c.GetAutocommit() {
			_ = c.Exec("ROLLBACK")
		}
		return errors.Join(err, c.Close())
	}
	if d.readOnly {
		return c.Close()
	}
	d.pen, d.mode = c, fullMode
	return nil
}

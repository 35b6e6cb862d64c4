package store

import (
	"context"
	_ "embed" // the tables
	"errors"
	"fmt"
	"path/filepath"
	"time"
)

//go:embed migrations/0001.sql
var first string

// migrations is how the tables came to be, step by step; one is never changed
// once it was released.
var migrations = [...]string{first}

// migrate brings the tables up to date, one process at a time: without the
// lock one of two that begin together fails.
func (d *DB) migrate(ctx context.Context) error {
	release, err := lockFile(ctx, filepath.Join(d.dir, fileName+".lock"))
	if err != nil {
		return err
	}
	defer release()
	c, err := connect(d.path, fullMode)
	if err != nil {
		return err
	}
	version, err := c.version()
	if err == nil && version == 0 {
		err = c.Exec("PRAGMA journal_mode=WAL")
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

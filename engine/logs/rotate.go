package logs

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// rotatedStamp is in the name of a rotated file, so that names sort by time.
const rotatedStamp = "20060102T150405.000000Z"

var rotatedName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^(.+)-(\d{8}T\d{6}\.\d{6}Z)\.log(\.gz)?$`) })

// rotate gives the file a name of its own. The lock is held.
func (w *Writer) rotate() error {
	for at := time.Now().UTC(); ; at = at.Add(time.Microsecond) {
		path := filepath.Join(w.dir.path, w.name+"-"+at.Format(rotatedStamp)+".log")
		if exists(path) || exists(path+".gz") {
			continue
		}
		if err := os.Rename(w.path, path); err != nil {
			return err
		}
		break
	}
	w.tidy++
	if w.tidy == 1 {
		w.dir.tidying.Go(w.tidyAll)
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// tidyAll compresses and removes rotated files until no more were rotated.
func (w *Writer) tidyAll() {
	for {
		w.mu.Lock()
		seen := w.tidy
		w.mu.Unlock()
		// What fails now is tried again after the next rotation.
		_ = w.dir.tidy(w.name, time.Now())
		w.mu.Lock()
		if w.tidy == seen {
			w.tidy = 0
			w.mu.Unlock()
			return
		}
		w.mu.Unlock()
	}
}

// tidy does it for one name, unless another process is at it.
func (d *Dir) tidy(name string, now time.Time) error {
	release, err := d.lock(name+".tidy", unix.LOCK_EX|unix.LOCK_NB)
	if err != nil {
		return err
	}
	defer release()
	files, err := d.rotated(name)
	if err != nil {
		return err
	}
	var errs []error
	for _, f := range files {
		switch {
		case d.old(f, now):
			errs = append(errs, d.remove(f))
		case d.options.Load().Compress && !strings.HasSuffix(f, ".gz"):
			errs = append(errs, compress(filepath.Join(d.path, f)))
		}
	}
	return errors.Join(errs...)
}

// rotated lists the rotated files of a name, oldest first; one that is there
// plain and compressed is listed plain.
func (d *Dir) rotated(name string) ([]string, error) {
	all, err := d.files()
	if err != nil {
		return nil, err
	}
	var files []string
	for _, f := range all {
		if m := rotatedName().FindStringSubmatch(f); m != nil && m[1] == name {
			files = append(files, f)
		}
	}
	slices.Sort(files)
	return slices.CompactFunc(files, func(a, b string) bool { return base(a) == base(b) }), nil
}

// names lists the logs that there are.
func (d *Dir) names() ([]string, error) {
	all, err := d.files()
	var names []string
	for _, f := range all {
		if m := rotatedName().FindStringSubmatch(f); m != nil {
			names = append(names, m[1])
		} else if name, ok := strings.CutSuffix(f, ".log"); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), err
}

func (d *Dir) files() ([]string, error) {
	entries, err := os.ReadDir(d.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var files []string
	for _, e := range entries {
		if e.Type().IsRegular() && !strings.HasPrefix(e.Name(), ".") {
			files = append(files, e.Name())
		}
	}
	return files, err
}

// rotatedAt is when a file was rotated, by its name.
func rotatedAt(file string) time.Time {
	m := rotatedName().FindStringSubmatch(file)
	if m == nil {
		return time.Time{}
	}
	at, err := time.Parse(rotatedStamp, m[2])
	if err != nil {
		return time.Time{}
	}
	return at
}

func (d *Dir) old(file string, now time.Time) bool {
	at := rotatedAt(file)
	most := d.options.Load().MaxAge
	return most > 0 && !at.IsZero() && now.Sub(at) > most
}

func (d *Dir) remove(file string) error {
	path := filepath.Join(d.path, file)
	err := os.Remove(path)
	if !strings.HasSuffix(path, ".gz") {
		os.Remove(path + ".gz")
	}
	return err
}

// Prune removes rotated files older than MaxAge and gives their names; dry
// only lists them.
func (d *Dir) Prune(now time.Time, dry bool) ([]string, error) {
	all, err := d.files()
	if err != nil {
		return nil, err
	}
	old := []string{}
	for _, f := range all {
		if !d.old(f, now) {
			continue
		}
		if !dry {
			if err := os.Remove(filepath.Join(d.path, f)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return old, err
			}
		}
		old = append(old, f)
	}
	return old, nil
}

// compress replaces a file by its .gz, which appears whole or not at all.
func compress(path string) error {
	if exists(path + ".gz") { // whoever made it died before the last step
		return os.Remove(path)
	}
	from, err := os.Open(path)
	if err != nil {
		return err
	}
	defer from.Close()
	unfinished := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".tmp")
	to, err := os.OpenFile(unfinished, os.O_CREATE|os.O_TRUNC|os.O_WRONLY|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	z, err := gzip.NewWriterLevel(to, gzip.BestSpeed)
	if err == nil {
		_, err = io.Copy(z, from)
		err = errors.Join(err, z.Close())
	}
	if err = errors.Join(err, to.Close()); err == nil {
		err = os.Rename(unfinished, path+".gz")
	}
	if err != nil {
		os.Remove(unfinished)
		return fmt.Errorf("compress %s: %w", path, err)
	}
	return os.Remove(path)
}

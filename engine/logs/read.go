package logs

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Query picks lines; zero fields pick all.
type Query struct {
	Name     string // engine, a system; "": every file
	Pipeline string // system/name
	Run      int64
	Step     string // id: all its combinations and the steps of its action; or one, as `id (os=a)`
	Since    time.Time
	Limit    int  // only the last so many; 0: all
	Follow   bool // then go on with what is appended, until ctx ends
	// Over is asked while lines are followed, before each look: true, and that look
	// is the last. Nil: never.
	Over func(context.Context) bool
}

// pollEvery is how often a followed file is looked at.
const pollEvery = 200 * time.Millisecond

// Read calls f with each line that q picks, in order, also from files that
// were rotated and compressed, until f fails. Lines that are being written by
// other processes are read when they are whole. What an engine says of a system,
// which two files hold, comes once. With Follow it ends with ctx, and that is no
// error.
func (d *Dir) Read(ctx context.Context, q Query, f func(Line) error) error {
	tails, err := d.tails(q)
	if err != nil {
		return err
	}
	defer func() {
		for _, t := range tails {
			t.close()
		}
	}()
	var known copies
	all := f
	if q.Name == "" {
		f = func(l Line) error {
			if known.twice(l) {
				return nil
			}
			return all(l)
		}
	}
	if err := past(ctx, tails, q, f); err != nil {
		return err
	}
	if !q.Follow {
		return nil
	}
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		over := q.Over != nil && q.Over(ctx)
		if tails, err = d.grown(tails, q); err != nil {
			return err
		}
		var lines []Line
		for _, t := range tails {
			if err := t.poll(func(l Line) error { lines = append(lines, l); return nil }); err != nil {
				return err
			}
		}
		if err := tell(lines, f); err != nil || over {
			return err
		}
	}
}

// past reads what there is.
func past(ctx context.Context, tails []*tail, q Query, f func(Line) error) error {
	switch {
	case q.Limit > 0:
		var lines []Line
		for _, t := range tails {
			last, err := t.last(ctx, q.Limit)
			if err != nil {
				return err
			}
			lines = append(lines, last...)
		}
		slices.SortStableFunc(lines, byTime)
		if q.Name == "" {
			lines = slices.DeleteFunc(lines, new(copies).twice)
		}
		return tell(lines[max(0, len(lines)-q.Limit):], f)
	case len(tails) == 1:
		return tails[0].all(ctx, f)
	}
	return merge(ctx, tails, f)
}

// merge reads several logs side by side, so that lines come in their order.
func merge(ctx context.Context, tails []*tail, f func(Line) error) error {
	type head struct {
		line Line
		next func() (Line, error, bool)
	}
	var heads []head
	for _, t := range tails {
		next, stop := iter.Pull2(t.seq(ctx))
		defer stop()
		if l, err, ok := next(); err != nil {
			return err
		} else if ok {
			heads = append(heads, head{l, next})
		}
	}
	for len(heads) > 0 {
		first := 0
		for i := range heads {
			if heads[i].line.At.Before(heads[first].line.At) {
				first = i
			}
		}
		if err := f(heads[first].line); err != nil {
			return err
		}
		l, err, ok := heads[first].next()
		if err != nil {
			return err
		}
		if heads[first].line = l; !ok {
			heads = slices.Delete(heads, first, first+1)
		}
	}
	return nil
}

// errEnough ends a walk early.
var errEnough = errors.New("enough")

func (t *tail) seq(ctx context.Context) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		err := t.all(ctx, func(l Line) error {
			if !yield(l, nil) {
				return errEnough
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			yield(Line{}, err)
		}
	}
}

func byTime(a, b Line) int { return cmp.Compare(a.At.UnixNano(), b.At.UnixNano()) }

func tell(lines []Line, f func(Line) error) error {
	for _, l := range lines {
		if err := f(l); err != nil {
			return err
		}
	}
	return nil
}

// tails opens the logs that q is about.
func (d *Dir) tails(q Query) ([]*tail, error) {
	names := []string{fileName(q.Name)}
	if q.Name == "" {
		var err error
		if names, err = d.names(); err != nil {
			return nil, err
		}
	}
	var tails []*tail
	for _, name := range names {
		t := &tail{dir: d, name: name, path: filepath.Join(d.path, name+".log"), query: q}
		if err := t.open(); err != nil {
			t.close()
			return tails, err
		}
		tails = append(tails, t)
	}
	return tails, nil
}

// grown adds the logs that have come since.
func (d *Dir) grown(tails []*tail, q Query) ([]*tail, error) {
	if q.Name != "" {
		return tails, nil
	}
	names, err := d.names()
	if err != nil {
		return tails, err
	}
	for _, name := range names {
		if !slices.ContainsFunc(tails, func(t *tail) bool { return t.name == name }) {
			tails = append(tails, &tail{dir: d, name: name, path: filepath.Join(d.path, name+".log"), query: q})
		}
	}
	return tails, nil
}

// tail reads one log: the rotated files, then the present one, whose end it
// remembers.
type tail struct {
	dir     *Dir
	name    string
	path    string
	query   Query
	rotated []string
	file    *os.File
	end     int64 // behind the last whole line that was read
}

func (t *tail) close() {
	if t.file != nil {
		t.file.Close()
	}
	t.file = nil
}

// open takes the files as they are at one moment: no rotation goes on.
func (t *tail) open() error {
	lock, err := os.Open(filepath.Join(t.dir.path, "."+t.name+".lock"))
	if err == nil {
		defer lock.Close()
		err = flock(lock, unix.LOCK_SH)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	t.close()
	t.end = 0
	if t.rotated, err = t.dir.rotated(t.name); err != nil {
		return err
	}
	t.file, err = os.Open(t.path)
	if errors.Is(err, fs.ErrNotExist) {
		t.file, err = nil, nil
	}
	return err
}

// all reads everything, oldest first.
func (t *tail) all(ctx context.Context, f func(Line) error) error {
	for _, name := range t.rotated {
		if err := errors.Join(ctx.Err(), t.whole(name, f)); err != nil {
			return err
		}
	}
	return t.rest(f)
}

// last gives the last n lines; it reads the newest files first and no more
// than it needs.
func (t *tail) last(ctx context.Context, n int) ([]Line, error) {
	var ring []Line
	keep := func(l Line) error {
		if ring = append(ring, l); len(ring) >= 2*n {
			ring = slices.Clone(ring[len(ring)-n:])
		}
		return nil
	}
	if err := t.rest(keep); err != nil {
		return nil, err
	}
	lines := ring
	for i := len(t.rotated) - 1; i >= 0 && len(lines) < n; i-- {
		ring = nil
		if err := errors.Join(ctx.Err(), t.whole(t.rotated[i], keep)); err != nil {
			return nil, err
		}
		lines = append(ring, lines...)
	}
	return lines[max(0, len(lines)-n):], nil
}

// poll reads what was appended, also when the file has been rotated meanwhile.
func (t *tail) poll(f func(Line) error) error {
	if err := t.rest(f); err != nil {
		return err
	}
	if t.file != nil && same(t.file, t.path) || t.file == nil && !exists(t.path) {
		return nil
	}
	known, ours, end := t.rotated, t.file, t.end
	t.file = nil
	if err := t.open(); err != nil {
		t.file, t.end = ours, end
		return err
	}
	if ours != nil { // it was written to until it was rotated
		present := t.file
		t.file, t.end = ours, end
		err := t.rest(f)
		ours.Close()
		if t.file, t.end = present, 0; err != nil {
			return err
		}
	}
	missed := t.rotated
	if len(known) > 0 {
		missed = slices.DeleteFunc(slices.Clone(missed), func(n string) bool { return base(n) <= base(known[len(known)-1]) })
	}
	if ours != nil && len(missed) > 0 {
		missed = missed[1:] // that is the one just read to its end
	}
	for _, name := range missed {
		if err := t.whole(name, f); err != nil {
			return err
		}
	}
	return t.rest(f)
}

func base(name string) string { return strings.TrimSuffix(name, ".gz") }

// rest reads the present file from where the last reading ended.
func (t *tail) rest(f func(Line) error) error {
	if t.file == nil {
		return nil
	}
	info, err := t.file.Stat()
	if err != nil {
		return err
	}
	if info.Size() < t.end { // somebody emptied it
		t.end = 0
	}
	if info.Size() == t.end {
		return nil
	}
	n, err := t.lines(io.NewSectionReader(t.file, t.end, info.Size()-t.end), f)
	t.end += n
	return err
}

// whole reads a rotated file, which may be compressed or removed at any moment.
func (t *tail) whole(name string, f func(Line) error) error {
	if at := rotatedAt(name); at.Before(t.query.Since) {
		return nil
	}
	path := filepath.Join(t.dir.path, base(name))
	file, err := os.Open(path)
	if err == nil {
		defer file.Close()
		_, err = t.lines(file, f)
		return err
	}
	if file, err = os.Open(path + ".gz"); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	defer file.Close()
	z, err := gzip.NewReader(file)
	if err != nil {
		return err
	}
	_, err = t.lines(z, f)
	return err
}

// lines calls f with what the query picks, and gives how far whole lines went.
func (t *tail) lines(r io.Reader, f func(Line) error) (read int64, err error) {
	b := bufio.NewReaderSize(r, maxLine)
	run := []byte(" run=" + strconv.FormatInt(t.query.Run, 10) + " ")
	for {
		line, err := b.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) { // not one of ours
			read += int64(len(line))
			continue
		}
		if errors.Is(err, io.EOF) {
			return read, nil
		}
		if err != nil {
			return read, err
		}
		read += int64(len(line))
		if t.query.Run != 0 && !bytes.Contains(line, run) {
			continue
		}
		if l, ok := parse(t.name, bytes.TrimSuffix(line, []byte{'\n'})); ok && t.query.picks(l) {
			if err := f(l); err != nil {
				return read, err
			}
		}
	}
}

func (q Query) picks(l Line) bool {
	return (q.Run == 0 || l.Run == q.Run) && (q.Pipeline == "" || l.Pipeline == word(q.Pipeline)) &&
		(q.Step == "" || ofStep(q.Step, l.Step)) && !l.At.Before(q.Since)
}

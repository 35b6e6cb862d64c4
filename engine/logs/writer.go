package logs

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// flushSize is how much is held back before it is written.
	flushSize = 64 << 10
	// flushDelay is how long a line is held back at most.
	flushDelay = 100 * time.Millisecond
)

// Writer appends to one log file. It may be used from several goroutines.
type Writer struct {
	dir  *Dir
	name string
	path string

	mu     sync.Mutex
	held   []byte // whole lines
	timer  *time.Timer
	file   *os.File
	lost   int   // lines that could not be written since the last that could
	why    error // of it
	failed error // the same, since it was last told
	tidy   int   // rotated files that wait to be tidied
	closed bool
}

// Write appends whole lines that belong to no run; each is stamped with the
// present time. It never fails; Flush tells of lines that were lost.
func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now().UTC()
	for line := range bytes.Lines(p) {
		w.append(now, "", bytes.TrimRight(line, "\r\n"))
	}
	w.settle()
	return len(p), nil
}

// Flush writes what is held back to the file. An error says that lines were
// lost; the log goes on with the next ones.
func (w *Writer) Flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.flush()
}

func (w *Writer) close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	err := w.flush()
	w.letGo()
	return err
}

func (w *Writer) letGo() {
	if w.file != nil {
		w.file.Close()
		w.file = nil
	}
}

// append holds one text back, in so many lines as it needs.
func (w *Writer) append(at time.Time, header string, text []byte) {
	separator := bar
	for len(text) > maxText {
		n := cut(text)
		w.part(at, header, separator, text[:n])
		text, separator = text[n:], more
	}
	w.part(at, header, separator, text)
}

// part holds one line back.
func (w *Writer) part(at time.Time, header, separator string, text []byte) {
	w.held = at.AppendFormat(w.held, stamp)
	w.held = append(w.held, header...)
	w.held = append(w.held, separator...)
	w.held = append(clean(w.held, text), '\n')
	if len(w.held) >= flushSize {
		w.write()
	}
}

// cut is where a text that is too long is parted: not inside a character.
func cut(text []byte) int {
	n := maxText
	for n > maxText-4 && text[n]&0xc0 == 0x80 {
		n--
	}
	return n
}

// settle sees to it that what is held back is written soon.
func (w *Writer) settle() {
	switch {
	case w.closed:
		w.write()
		w.letGo()
	case len(w.held) > 0 && w.timer == nil:
		w.timer = time.AfterFunc(flushDelay, func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.write()
		})
	}
}

// flush writes, and tells once of lines that were lost since it last told.
func (w *Writer) flush() error {
	w.write()
	err := w.failed
	w.failed = nil
	return err
}

func (w *Writer) write() {
	if w.timer != nil {
		w.timer.Stop()
		w.timer = nil
	}
	if len(w.held) == 0 {
		return
	}
	text := w.held
	if w.lost > 0 {
		note := Line{At: time.Now(), Text: fmt.Sprintf("%d lines were lost here: they could not be written", w.lost)}
		text = append([]byte(note.String()+"\n"), text...)
	}
	if err := w.commit(text); err != nil {
		w.lost += bytes.Count(w.held, []byte{'\n'})
		w.why = fmt.Errorf("%d lines of %s are lost: %w", w.lost, w.path, err)
		w.failed = w.why
	} else {
		w.lost = 0
	}
	w.held = w.held[:0]
	if cap(w.held) > 8*flushSize {
		w.held = nil
	}
}

// commit appends text to the file with one write, under the lock that every
// process takes, and rotates the file first when it would grow too large.
func (w *Writer) commit(text []byte) error {
	release, err := w.dir.lock(w.name, unix.LOCK_EX)
	if err != nil {
		return err
	}
	defer release()
	size, err := w.ready()
	if err != nil {
		return err
	}
	if size > 0 && size+int64(len(text)) > w.dir.options.Load().MaxSize {
		if err := w.rotate(); err != nil {
			return err
		}
		if size, err = w.ready(); err != nil {
			return err
		}
	}
	if _, err := w.file.Write(text); err != nil {
		return errors.Join(err, w.file.Truncate(size)) // no half line
	}
	return nil
}

// ready makes sure that w.file is the file of that name, which another process
// may have rotated, and that it ends with a whole line. It gives its size.
func (w *Writer) ready() (int64, error) {
	if w.file != nil && !same(w.file, w.path) {
		w.file.Close()
		w.file = nil
	}
	if w.file == nil {
		f, err := os.OpenFile(w.path, os.O_CREATE|os.O_RDWR|os.O_APPEND|unix.O_NOFOLLOW, 0o600)
		if err != nil {
			return 0, err
		}
		w.file = f
	}
	info, err := w.file.Stat()
	if err != nil || info.Size() == 0 {
		return 0, err
	}
	size := info.Size()
	whole, err := lastLine(w.file, size)
	if err != nil || whole == size {
		return size, err
	}
	return whole, w.file.Truncate(whole) // who wrote it died over it
}

// lastLine is where the last whole line of a file ends.
func lastLine(f *os.File, size int64) (int64, error) {
	b := make([]byte, 1)
	for end := size; end > 0; {
		n := min(int64(len(b)), end)
		if _, err := f.ReadAt(b[:n], end-n); err != nil {
			return 0, err
		}
		if i := bytes.LastIndexByte(b[:n], '\n'); i >= 0 {
			return end - n + int64(i) + 1, nil
		}
		end -= n
		b = make([]byte, flushSize)
	}
	return 0, nil
}

func same(f *os.File, path string) bool {
	open, err := f.Stat()
	if err != nil {
		return false
	}
	named, err := os.Lstat(path)
	return err == nil && os.SameFile(open, named)
}

// lock takes the lock that goes with a name, which is a file of its own
// because the log file changes; the first result gives it back.
func (d *Dir) lock(name string, how int) (func(), error) {
	path := filepath.Join(d.path, "."+name+".lock")
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(d.path, 0o700); err != nil {
			return nil, err
		}
		f, err = os.OpenFile(path, os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW, 0o600)
	}
	if err != nil {
		return nil, err
	}
	if err := flock(f, how); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { f.Close() }, nil
}

func flock(f *os.File, how int) error {
	for {
		err := unix.Flock(int(f.Fd()), how)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// Run gives the stream of one run; pipeline is system/name.
func (w *Writer) Run(run int64, pipeline string) *Stream {
	return &Stream{w: w, run: run, pipeline: pipeline}
}

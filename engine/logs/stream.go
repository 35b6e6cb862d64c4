package logs

import (
	"bytes"
	"io"
	"sync"
	"time"
)

// Stream appends the lines of one run. It may be used from several goroutines.
type Stream struct {
	w        *Writer
	run      int64
	pipeline string
}

// Line appends one line of a step.
func (s *Stream) Line(at time.Time, step, text string) {
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	s.w.append(at.UTC(), header(s.run, s.pipeline, step), []byte(text))
	s.w.settle()
}

// Flush writes what is held back to the file.
func (s *Stream) Flush() error { return s.w.Flush() }

// Step gives a writer for the piped output of a step: it cuts it into lines.
// Its Write never fails, so that a log that cannot be written stops no step;
// Close ends the last line, flushes, and tells of lines that were lost.
func (s *Stream) Step(step string) io.WriteCloser {
	return &stepWriter{w: s.w, header: header(s.run, s.pipeline, step)}
}

type stepWriter struct {
	w      *Writer
	header string

	mu    sync.Mutex
	rest  []byte // of a line that has not ended; never much longer than maxText
	begun bool   // a part of that line was appended already
}

// Write takes the next piece of output.
func (s *stepWriter) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	now, n := time.Now().UTC(), len(p)
	for len(p) > 0 {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			s.hold(now, p)
			break
		}
		if len(s.rest) == 0 && !s.begun {
			s.w.append(now, s.header, bytes.TrimSuffix(p[:i], []byte{'\r'}))
		} else {
			s.hold(now, p[:i])
			s.end(now)
		}
		p = p[i+1:]
	}
	s.w.settle()
	return n, nil
}

// hold keeps the beginning of a line; what is longer than a line may be is
// appended in parts.
func (s *stepWriter) hold(now time.Time, p []byte) {
	for len(p) > 0 {
		room := min(maxText+1-len(s.rest), len(p))
		s.rest, p = append(s.rest, p[:room]...), p[room:]
		if len(s.rest) > maxText {
			n := cut(s.rest)
			s.w.part(now, s.header, s.separator(), s.rest[:n])
			s.rest = append(s.rest[:0], s.rest[n:]...)
			s.begun = true
		}
	}
}

// end ends the line that was held.
func (s *stepWriter) end(now time.Time) {
	s.w.part(now, s.header, s.separator(), bytes.TrimSuffix(s.rest, []byte{'\r'}))
	s.rest, s.begun = s.rest[:0], false
}

func (s *stepWriter) separator() string {
	if s.begun {
		return more
	}
	return bar
}

// Close ends the last line and flushes.
func (s *stepWriter) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	if len(s.rest) > 0 || s.begun {
		s.end(time.Now().UTC())
	}
	s.rest = nil
	return s.w.flush()
}

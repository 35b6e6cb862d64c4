package outputs

import (
	"errors"
	"io"
	"sync"

	"github.com/redundctl/redundctl/engine/secret"
)

// Shown takes what one attempt of a step prints, and masks it. The receiver
// behind it is opened with the first byte: most steps of a large graph say
// nothing. It may be written to by several goroutines.
type Shown struct {
	Open   func(name string) io.WriteCloser // nil: nobody receives it
	Name   string
	Masker *secret.Masker

	mu   sync.Mutex
	to   io.WriteCloser
	mask *secret.Writer
}

// Write passes on what is written.
func (s *Shown) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mask == nil {
		if s.Open == nil {
			return len(p), nil
		}
		s.to = s.Open(s.Name)
		s.mask = s.Masker.Writer(s.to)
	}
	return s.mask.Write(p)
}

// Close passes on what was held back; what is written later opens a receiver
// anew.
func (s *Shown) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mask == nil {
		return nil
	}
	err := errors.Join(s.mask.Flush(), s.to.Close())
	s.mask = nil
	return err
}

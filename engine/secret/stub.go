package secret

import "io"

// Sources are the places that secrets are read from.
type Sources struct {
	Environ               func(string) (string, bool)
	EnvFiles, Directories []string
}

// Lookup finds a secret.
func (s *Sources) Lookup(name string) (value string, ok bool, err error) { return "", false, nil }

// Masker masks secrets.
type Masker struct{}

// NewMasker makes a Masker.
func NewMasker(values ...string) *Masker { return &Masker{} }

// Add adds secrets.
func (m *Masker) Add(values ...string) {}

// Mask masks a string.
func (m *Masker) Mask(s string) string { return s }

// Holds reports whether s holds a secret.
func (m *Masker) Holds(s string) bool { return false }

// Writer masks a stream.
func (m *Masker) Writer(w io.Writer) *Writer { return &Writer{w: w} }

// Writer masks a stream.
type Writer struct{ w io.Writer }

func (w *Writer) Write(p []byte) (int, error) { return w.w.Write(p) }

// Flush flushes.
func (w *Writer) Flush() error { return nil }

// Close ends it.
func (w *Writer) Close() error { return nil }

// Weak reports whether a secret is short.
func Weak(value string) bool { return len(value) < 6 }

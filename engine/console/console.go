// Package console is what people see on a terminal: the log, tables, colour
// and the live output of steps.
package console

import (
	"io"
	"log/slog"
	"os"
)

// LogOptions configure a logger.
type LogOptions struct {
	Level slog.Level
	Color bool
	JSON  bool
}

// NewLogger makes a logger.
func NewLogger(w io.Writer, o LogOptions) *slog.Logger { return slog.New(slog.DiscardHandler) }

// OutputOptions configure an Output.
type OutputOptions struct {
	Color    bool
	Steps    int      // how many steps there are, for the progress line; 0: not known
	Terminal *os.File // where the progress line may be drawn; nil: none
}

// Output shows the output of steps as it comes.
type Output struct{}

// NewOutput makes an Output; it must be closed.
func NewOutput(w io.Writer, o OutputOptions) *Output { return &Output{} }

type nop struct{ io.Writer }

func (nop) Close() error { return nil }

// Step gives the writer of a step's output.
func (o *Output) Step(name string) io.WriteCloser { return nop{io.Discard} }

// Note prints a line that belongs to no step.
func (o *Output) Note(format string, args ...any) {}

// Close prints what is left and ends.
func (o *Output) Close() error { return nil }

// Table prints rows below a head.
func Table(w io.Writer, color bool, head []string, rows [][]string) error { return nil }

// IsTerminal reports whether f is a terminal.
func IsTerminal(f *os.File) bool { return false }

// Color reports whether f should be written to in colour.
func Color(f *os.File) bool { return false }

// Clean makes control characters harmless.
func Clean(s string) string { return s }

// Package editor lets a person change a text in the editor of their choice: a
// private copy of it, until it is one that may be saved or they give up.
//
// Start with Find, then Session.Edit.
package editor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// endIn is how long an editor has to end when we are asked to.
const endIn = 5 * time.Second

// Session is one text in the hands of a person. It is used once, by one
// goroutine.
type Session struct {
	Editor       Editor
	In, Out, Err *os.File
	// Check finds what keeps a text from being saved; nothing: it may be.
	Check func(ctx context.Context, text []byte) []Note
	// Times bounds how often the editor is opened: a program that changes the
	// text whatever it is told would do so for ever. 0: no bound.
	Times int

	dir, path string
}

// Outcome is how a session ended.
type Outcome int

// The ways in which a session ends.
const (
	Unchanged Outcome = iota // the text is what it was
	Changed                  // and may be saved
	Emptied                  // nothing is left of it
	GivenUp                  // it may not be saved, and was closed so
)

// Edit opens a copy of a text, called name, and opens it again with what is
// wrong on top until it may be saved, or is closed without another change. What
// the person wrote stays where Kept says until Forget; so it does with an error,
// that of an editor which failed or of ctx.
func (s *Session) Edit(ctx context.Context, name string, text []byte) (after []byte, how Outcome, err error) {
	// Ctrl-C is a key of the editor, which has the terminal to itself.
	keys := make(chan os.Signal, 1)
	signal.Notify(keys, syscall.SIGINT, syscall.SIGQUIT)
	defer signal.Stop(keys)
	if s.dir, err = os.MkdirTemp("", "redundctl-edit-"); err != nil {
		return nil, 0, fmt.Errorf("a copy to edit cannot be made: %w: set TMPDIR to another folder", err)
	}
	s.path = filepath.Join(s.dir, filepath.Base(name))
	shown := text
	for h, times := heading(s.Check(ctx, text)), 1; ; times++ {
		if err := s.write(h.over(shown)); err != nil {
			return nil, 0, err
		}
		opened := s.open(ctx)
		got, err := os.ReadFile(s.path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, 0, fmt.Errorf("reading what was written: %w", err)
		}
		after := ended(h.without(got), text)
		switch changed := !bytes.Equal(after, text); {
		case opened != nil && !changed:
			return nil, 0, errors.Join(opened, s.Forget())
		case opened != nil:
			return nil, 0, errors.Join(opened, s.write(after))
		case !changed:
			return text, Unchanged, s.Forget()
		case len(bytes.TrimSpace(after)) == 0:
			return nil, Emptied, s.Forget()
		}
		notes := s.Check(ctx, after)
		if err := ctx.Err(); err != nil {
			return nil, 0, errors.Join(err, s.write(after))
		}
		switch {
		case len(notes) == 0:
			return after, Changed, s.write(after)
		case bytes.Equal(after, shown), times == s.Times:
			return after, GivenUp, s.write(after)
		}
		h, shown = heading(notes), after
	}
}

// Kept is where the copy lies, or "" when nothing is left of it.
func (s *Session) Kept() string {
	if _, err := os.Stat(s.path); s.path == "" || err != nil {
		return ""
	}
	return s.path
}

// Forget removes the copy.
func (s *Session) Forget() error {
	if err := os.RemoveAll(s.dir); err != nil {
		return fmt.Errorf("removing the copy: %w", err)
	}
	return nil
}

// write brings a text into the copy; what was there stays whole until then.
func (s *Session) write(text []byte) error {
	err := os.WriteFile(s.path+".new", text, 0o600)
	if err == nil {
		err = os.Rename(s.path+".new", s.path)
	}
	if err != nil {
		return fmt.Errorf("writing the copy to edit: %w", err)
	}
	return nil
}

// open runs the editor and waits until it has ended.
func (s *Session) open(ctx context.Context) error {
	argv := append(append([]string{}, s.Editor.Argv...), s.path)
	c := exec.CommandContext(ctx, argv[0], argv[1:]...)
	c.Stdin, c.Stdout, c.Stderr = s.In, s.Out, s.Err
	c.Cancel = func() error { return c.Process.Signal(syscall.SIGTERM) }
	c.WaitDelay = endIn
	err := c.Run()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("the editor %s failed: %w", argv[0], err)
	}
	return nil
}

// ended gives a text the line endings of the one that it was made of, where
// these are all of one kind: an editor may write its own.
func ended(after, before []byte) []byte {
	lines, returns := bytes.Count(before, []byte("\n")), bytes.Count(before, []byte("\r\n"))
	if lines > 0 && (returns == 0 || returns == lines) {
		after = bytes.ReplaceAll(after, []byte("\r\n"), []byte("\n"))
		if returns > 0 {
			after = bytes.ReplaceAll(after, []byte("\n"), []byte("\r\n"))
		}
	}
	return after
}

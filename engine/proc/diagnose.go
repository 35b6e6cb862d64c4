package proc

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

var (
	errNotFound    = errors.New("no such program")
	errNoDir       = errors.New("its working directory does not exist")
	errDirNotDir   = errors.New("its working directory is not a directory")
	errDirDenied   = errors.New("its working directory may not be entered")
	errIsDir       = errors.New("it is a directory")
	errNotExec     = errors.New("it is not executable")
	errInterpreter = errors.New("its interpreter does not exist")
	errNul         = errors.New("an argument or a variable holds a NUL byte")
)

// diagnose turns the system's error number, which says too little, into what
// is wrong and the way out.
func (c *Command) diagnose(path string, err error) error {
	e := &StartError{Path: clip(path, 200), Err: err}
	file := path
	if !filepath.IsAbs(file) {
		file = filepath.Join(c.Dir, file)
	}
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR):
		e.missing(c.Dir, file)
	case errors.Is(err, unix.EACCES), errors.Is(err, unix.EPERM):
		e.denied(c.Dir, file)
	case errors.Is(err, unix.ENOEXEC):
		e.Hint = "it is neither a program of this machine nor a script whose first line names its interpreter (#!/bin/sh)"
	case errors.Is(err, unix.E2BIG):
		e.Hint = "arguments and environment together are too long for the system: hand large values over in a file"
	case errors.Is(err, unix.EINVAL) && c.holdsNul(path):
		e.Err = errNul
		e.Hint = "no program can be given one: write it in another form, or hand it over in a file"
	case errors.Is(err, unix.EMFILE), errors.Is(err, unix.ENFILE):
		e.Hint = "raise the limit of open files (ulimit -n), or run fewer steps side by side (max-parallel)"
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.ENOMEM):
		e.Hint = "the limit of processes or of memory is reached (ulimit -u, or the container's)"
	case errors.Is(err, unix.ETXTBSY):
		e.Hint = "it is being written to"
	}
	return e
}

// missing finds out which of the files it was that is not there.
func (e *StartError) missing(dir, file string) {
	if dir != "" {
		info, err := os.Stat(dir)
		switch {
		case err != nil:
			e.Err, e.Hint = errNoDir, "make "+clip(dir, 200)+", or name another"
			return
		case !info.IsDir():
			e.Err, e.Hint = errDirNotDir, "name another than "+clip(dir, 200)
			return
		}
	}
	if _, err := os.Stat(file); err != nil {
		e.Err, e.Hint = errNotFound, "check the path; it is relative to the working directory"
		if filepath.IsAbs(e.Path) {
			e.Hint = "check the path"
		}
		return
	}
	e.Err = errInterpreter
	if name := interpreter(file); name != "" {
		e.Hint = "install " + clip(name, 200) + ", which the first line of the script names"
		if strings.HasSuffix(name, "\r") {
			e.Hint = "the script has Windows line endings: save it with plain ones (LF)"
		}
		return
	}
	e.Hint = "the program needs a loader that is not on this machine (another C library or processor)"
}

// denied finds out what must not be done.
func (e *StartError) denied(dir, file string) {
	if dir != "" && unix.Access(dir, unix.X_OK) != nil {
		e.Err, e.Hint = errDirDenied, "let this user enter "+clip(dir, 200)
		return
	}
	info, err := os.Stat(file)
	switch {
	case err != nil:
	case info.IsDir():
		e.Err, e.Hint = errIsDir, "name a program in it"
	case info.Mode()&0o111 == 0:
		e.Err, e.Hint = errNotExec, "chmod +x "+e.Path
	default:
		e.Hint = "the user may not execute it, or its file system is mounted noexec"
	}
}

// interpreter is the program that a script's first line names.
func interpreter(file string) string {
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close()
	line, _ := io.ReadAll(io.LimitReader(f, 256))
	line, _, _ = bytes.Cut(line, []byte("\n"))
	name, ok := bytes.CutPrefix(line, []byte("#!"))
	if !ok {
		return ""
	}
	name = bytes.TrimLeft(name, " \t")
	if i := bytes.IndexAny(name, " \t"); i >= 0 {
		name = name[:i]
	}
	return string(name)
}

func (c *Command) holdsNul(path string) bool {
	if strings.IndexByte(path+c.Dir, 0) >= 0 {
		return true
	}
	for _, list := range [][]string{c.Argv, c.Env} {
		for _, s := range list {
			if strings.IndexByte(s, 0) >= 0 {
				return true
			}
		}
	}
	return false
}

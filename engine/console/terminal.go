package console

import (
	"io"
	"os"

	"golang.org/x/term"
)

// IsTerminal says whether f is a terminal.
func IsTerminal(f *os.File) bool {
	is := false
	control(f, func(fd int) { is = term.IsTerminal(fd) })
	return is
}

// Color says whether what is written to f should be coloured: on a terminal
// that can, unless NO_COLOR is set.
func Color(f *os.File) bool {
	return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && IsTerminal(f)
}

// control calls do with the descriptor of f. Unlike Fd it leaves the file in
// the mode it is in.
func control(f *os.File, do func(fd int)) {
	if f == nil {
		return
	}
	c, err := f.SyscallConn()
	if err != nil {
		return
	}
	_ = c.Control(func(fd uintptr) { do(int(fd)) }) // a closed file is no terminal
}

// width is how many columns a terminal has, 0 when w is none.
func width(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok {
		return 0
	}
	columns := 0
	control(f, func(fd int) {
		if n, _, err := term.GetSize(fd); err == nil {
			columns = n
		}
	})
	return columns
}

package secret

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
)

var envName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^(export\s+)?[A-Za-z0-9_.]+$`) })

// brokenEnv says in which line an env file that cannot be read is wrong, and
// shows nothing of it.
func brokenEnv(text string) error {
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		line := strings.TrimSpace(lines[i])
		if line == "" || line[0] == '#' {
			continue
		}
		at := strings.IndexAny(line, "=:")
		if at < 0 || !envName().MatchString(strings.TrimSpace(line[:at])) {
			return fmt.Errorf("line %d is not of the form NAME=value", i+1)
		}
		value := strings.TrimSpace(line[at+1:])
		if value == "" || value[0] != '"' && value[0] != '\'' {
			continue
		}
		rest := strings.Join(append([]string{value[1:]}, lines[i+1:]...), "\n")
		end := closing(rest, value[0])
		if end < 0 {
			return fmt.Errorf("the quote that opens in line %d is never closed", i+1)
		}
		i += strings.Count(rest[:end], "\n")
	}
	return errors.New("a line is not of the form NAME=value, or a quote is never closed")
}

// closing is where a quote ends a value, or -1.
func closing(s string, quote byte) int {
	for i := range len(s) {
		if s[i] == quote && (i == 0 || s[i-1] != '\\') {
			return i
		}
	}
	return -1
}

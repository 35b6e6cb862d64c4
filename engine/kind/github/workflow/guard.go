package workflow

import (
	"bytes"
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/redundctl/redundctl/engine/kind"
)

// mostNodes is how many values a file may have once its aliases are followed.
const mostNodes = 100_000

// refuse finds what keeps a text from being parsed at all.
func refuse(path string, text []byte) *Fault {
	if len(text) > MaxSize {
		return &Fault{File: path, Message: fmt.Sprintf("the file has %d bytes, more than 1 MiB", len(text))}
	}
	if i := bytes.IndexByte(text, 0); i >= 0 {
		return &Fault{File: path, Line: 1 + bytes.Count(text[:i], []byte("\n")), Message: "the file holds a NUL byte"}
	}
	if line := kind.Conflict(text); line > 0 {
		return &Fault{File: path, Line: line, Message: "a merge conflict was left in the file"}
	}
	return bomb(path, text)
}

// bomb refuses a text whose aliases stand for far more than it holds. It is
// parsed for that only where it may have several.
func bomb(path string, text []byte) *Fault {
	if bytes.Count(text, []byte("&")) < 2 || bytes.Count(text, []byte("*")) < 4 {
		return nil
	}
	var n yaml.Node
	if yaml.Unmarshal(text, &n) != nil {
		return nil //nolint:nilerr // the parser says what is wrong
	}
	sizes := map[*yaml.Node]int{}
	var size func(n *yaml.Node, depth int) int
	size = func(n *yaml.Node, depth int) int {
		if n.Alias != nil {
			n = n.Alias
		}
		if known, ok := sizes[n]; ok {
			return known
		}
		sizes[n] = 1 // while it is counted: a circle counts once, the parser refuses it
		sum := 1
		for _, c := range n.Content {
			sum = min(sum+size(c, depth+1), mostNodes+1)
		}
		sizes[n] = sum
		return sum
	}
	if size(&n, 0) > mostNodes {
		return &Fault{File: path, Message: "its aliases stand for more than 100,000 values"}
	}
	return nil
}

// brokenAt is the line of a mistake that the parser of workflows gives no place
// for, as another parser sees it; 0: it sees none.
func brokenAt(text []byte) (n int) {
	var v yaml.Node
	err := yaml.Unmarshal(text, &v)
	if err != nil {
		_, _ = fmt.Sscanf(err.Error(), "yaml: line %d:", &n)
		return max(n, 1)
	}
	return 0
}

// line is a text in one line.
func line(s string) string { return strings.Join(strings.Fields(s), " ") }

package setup

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// wish is a range of versions.
type wish struct {
	text string // as it stands in the file
	is   func(version) bool
}

// lts are the lines of Node.js that get long support, by their names, which
// stand for 4, 6, 8 and so on (https://github.com/nodejs/Release).
const lts = "argon boron carbon dubnium erbium fermium gallium hydrogen iron jod krypton"

// parse reads a range as setup-node and setup-python take it.
func parse(tool, text string) (wish, error) {
	word := strings.ToLower(strings.TrimSpace(text))
	switch tool {
	case "node":
		if w, ok, err := named(text, word); ok || err != nil {
			return w, err
		}
	case "python":
		var err error
		if word, err = python(text, word); err != nil {
			return wish{}, err
		}
	}
	if word == "" || word == "latest" || word == "stable" || word == "*" || word == "x" {
		return wish{text, func(version) bool { return true }}, nil
	}
	list, ok := parseRanges(word)
	if !ok || len(word) > 200 {
		return wish{}, fmt.Errorf("version: %q is no version or range, as 20, 20.x or >=18", text)
	}
	return wish{text, list.has}, nil
}

// named reads the words that stand for versions of Node.js.
func named(text, word string) (wish, bool, error) {
	name, ok := strings.CutPrefix(word, "lts/")
	switch {
	case word == "node" || word == "current" || word == "latest":
		return wish{text, func(version) bool { return true }}, true, nil
	case !ok && word != "lts":
		return wish{}, false, nil
	case !ok || name == "*":
		return wish{text, func(v version) bool { return v.n[0] >= 4 && v.n[0]%2 == 0 }}, true, nil
	}
	lines := strings.Fields(lts)
	if back, err := strconv.Atoi(name); err == nil && back <= 0 && -back < len(lines) {
		name = lines[len(lines)-1+back]
	}
	for i, line := range lines {
		if line == name {
			major := uint64(4 + 2*i)
			return wish{text, func(v version) bool { return v.n[0] == major }}, true, nil
		}
	}
	return wish{}, false, fmt.Errorf("version: %q is no line of Node.js with long support: those known are %s", text, strings.Join(lines, ", "))
}

// python turns a range as Python writes it into one of semver.
func python(text, word string) (string, error) {
	if strings.HasPrefix(word, "pypy") || strings.HasPrefix(word, "graalpy") {
		return "", fmt.Errorf("version: %q is another Python than CPython, which is the one that is looked for", text)
	}
	word = strings.TrimPrefix(word, "cpython")
	word = strings.TrimPrefix(word, "python")
	word = strings.TrimSuffix(word, "-dev") // the newest of a line, which here is any of it
	if text := word; strings.Contains(text, "||") {
		return text, nil
	}
	var out []string
	for _, part := range strings.Split(word, ",") {
		part = strings.TrimSpace(part)
		switch {
		case strings.HasPrefix(part, "~="):
			numbers := strings.Split(strings.TrimSpace(part[2:]), ".")
			last, err := strconv.Atoi(numbers[max(len(numbers)-2, 0)])
			if len(numbers) < 2 || err != nil {
				return "", fmt.Errorf("version: %q is no version or range, as 3.11, 3.x or >=3.9", text)
			}
			upper := append(append([]string(nil), numbers[:len(numbers)-2]...), strconv.Itoa(last+1))
			out = append(out, ">="+strings.Join(numbers, "."), "<"+strings.Join(upper, "."))
		case strings.HasPrefix(part, "==="):
			out = append(out, "="+part[3:])
		case strings.HasPrefix(part, "=="):
			out = append(out, "="+part[2:])
		case part != "":
			out = append(out, part)
		}
	}
	return strings.Join(out, " "), nil
}

// versionIn finds the version in what a tool prints: the first number with a dot
// in it.
func versionIn(text string) string {
	return regexp.MustCompile(`\d+\.\d+(\.\d+)?(-[0-9A-Za-z.-]+|(a|b|rc)\d+)?`).FindString(text)
}

// read reads a version that a tool has told.
func read(text string) (version, bool) {
	m := regexp.MustCompile(`^(\d+\.\d+(?:\.\d+)?)((?:a|b|rc)\d+)$`).FindStringSubmatch(text)
	if m != nil { // as Python writes what comes before a release
		v, n, ok := partial(m[1])
		v.pre = m[2]
		return v, ok && n > 1
	}
	v, n, ok := partial(strings.ToLower(text))
	return v, ok && n > 1
}

// fileLimit is how much of a file is read for a version.
const fileLimit = 1 << 20

// fromFile reads a version from a file of the kinds that setup-node and
// setup-python read.
func fromFile(tool, path string) (string, error) {
	src, err := small(path)
	if err != nil {
		return "", err
	}
	var v string
	switch name := filepath.Base(path); {
	case name == "package.json":
		v, err = fromPackage(path, src, 0)
	case name == ".tool-versions":
		v = fromTools(tool, string(src))
	case strings.HasSuffix(name, ".toml"):
		v = fromTOML(tool, string(src))
	case name == "Pipfile":
		v = fromTOML(tool, string(src))
	default:
		v = firstLine(string(src))
	}
	if err == nil && v == "" {
		err = fmt.Errorf("the file %s names no version of %s", filepath.Base(path), tool)
	}
	return v, err
}

// firstLine is the first that says something.
func firstLine(src string) string {
	for line := range strings.Lines(src) {
		line, _, _ = strings.Cut(line, "#")
		if line = strings.TrimSpace(line); line != "" {
			if rest, ok := strings.CutPrefix(line, "v"); ok && rest != "" && rest[0] >= '0' && rest[0] <= '9' {
				return rest
			}
			return line
		}
	}
	return ""
}

// fromPackage reads package.json: what Volta pins, what the project wants for
// development, and which engines it allows, in the order of setup-node.
func fromPackage(path string, src []byte, depth int) (string, error) {
	var p struct {
		Volta struct {
			Node    string `json:"node"`
			Extends string `json:"extends"`
		} `json:"volta"`
		Dev struct {
			Runtime json.RawMessage `json:"runtime"`
		} `json:"devEngines"`
		Engines struct {
			Node string `json:"node"`
		} `json:"engines"`
	}
	if err := json.Unmarshal(src, &p); err != nil {
		return "", fmt.Errorf("the file %s cannot be read: %w", filepath.Base(path), err)
	}
	type runtime struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	}
	var several []runtime
	if json.Unmarshal(p.Dev.Runtime, &several) != nil {
		var one runtime
		if json.Unmarshal(p.Dev.Runtime, &one) == nil {
			several = []runtime{one}
		}
	}
	if p.Volta.Node != "" {
		return p.Volta.Node, nil
	}
	for _, r := range several {
		if r.Name == "node" && r.Version != "" {
			return r.Version, nil
		}
	}
	if p.Engines.Node != "" {
		return p.Engines.Node, nil
	}
	if p.Volta.Extends == "" || depth > 5 {
		return "", nil
	}
	next := filepath.Join(filepath.Dir(path), p.Volta.Extends)
	src, err := small(next)
	if err != nil {
		return "", fmt.Errorf("volta.extends of %s: %w", filepath.Base(path), err)
	}
	return fromPackage(next, src, depth+1)
}

// small is the text of a file within fileLimit.
func small(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("the version file %s cannot be read: %w", filepath.Base(path), errors.Unwrap(err))
	}
	if info.Size() > fileLimit || !info.Mode().IsRegular() {
		return nil, fmt.Errorf("the version file %s is no small file", filepath.Base(path))
	}
	src, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("the version file %s cannot be read: %w", filepath.Base(path), errors.Unwrap(err))
	}
	return src, nil
}

// fromTools reads .tool-versions of asdf and mise.
func fromTools(tool, src string) string {
	for line := range strings.Lines(src) {
		line, _, _ = strings.Cut(line, "#")
		f := strings.Fields(line)
		if len(f) > 1 && (f[0] == tool || tool == "node" && f[0] == "nodejs" || tool == "go" && f[0] == "golang") {
			return strings.TrimPrefix(f[1], "v")
		}
	}
	return ""
}

// fromTOML finds the one line of pyproject.toml, mise.toml or Pipfile that names
// a version. It is no reader of TOML: a value over several lines is not seen.
func fromTOML(tool, src string) string {
	section := ""
	in := bufio.NewScanner(strings.NewReader(src))
	for in.Scan() {
		line := strings.TrimSpace(in.Text())
		if strings.HasPrefix(line, "[") {
			section = strings.Trim(line, "[] ")
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if key = strings.Trim(strings.TrimSpace(key), `"'`); !ok {
			continue
		}
		value = strings.TrimSpace(value)
		if value == "" || value[0] != '"' && value[0] != '\'' {
			continue
		}
		value, _, _ = strings.Cut(value[1:], value[:1])
		switch section + "." + key {
		case "project.requires-python", "tool.poetry.dependencies.python", "requires.python_full_version", "requires.python_version":
			if tool == "python" {
				return value
			}
		case "tools." + tool:
			return value
		}
	}
	return ""
}

// Package secret is where a secret is read from, and a writer that masks it
// in every form in which it may turn up.
//
// Sources finds a secret by its name. A Masker knows secrets by their values:
// forms.go lists the forms of one, automaton.go finds all of them in one pass,
// and mask.go puts *** in their place, in a string or in a stream.
package secret

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"
	"syscall"

	"github.com/joho/godotenv"
)

// maxFile is how large a file with a secret, or an env file, may be.
const maxFile = 1 << 20

// Sources are the places that secrets are read from, in this order: the
// process environment, env files, directories. Files that do not exist hold
// nothing. The zero value has no secrets. It is safe for concurrent use as
// long as its fields are not changed.
type Sources struct {
	// Environ looks a name up in the process environment; nil: nowhere.
	Environ func(string) (string, bool)
	// EnvFiles are paths of files with lines NAME=value, as .env. Nothing in
	// their values is expanded.
	EnvFiles []string
	// Directories hold one file for each secret, as /run/secrets.
	Directories []string

	mu    sync.Mutex
	files map[string]envFile
}

// envFile is what an env file held when it was last read.
type envFile struct {
	info   fs.FileInfo
	values map[string]string
}

// Lookup finds a secret by its name. It is not ok when no source has it; an
// error says which source cannot be read, and never shows a value.
func (s *Sources) Lookup(name string) (value string, ok bool, err error) {
	if !plain(name) {
		return "", false, fmt.Errorf("%q cannot be the name of a secret: use letters, digits, dots, _ and -", name)
	}
	if s.Environ != nil {
		if v, ok := s.Environ(name); ok {
			return v, true, nil
		}
	}
	for _, path := range s.EnvFiles {
		values, err := s.envFile(path)
		if err != nil {
			return "", false, fmt.Errorf("secrets of %s cannot be read: %w", path, err)
		}
		if v, ok := values[name]; ok {
			return v, true, nil
		}
	}
	for _, dir := range s.Directories {
		v, ok, err := inDirectory(dir, name)
		if err != nil {
			return "", false, fmt.Errorf("secret %s in %s cannot be read: %w", name, dir, err)
		}
		if ok {
			return v, true, nil
		}
	}
	return "", false, nil
}

// plain reports whether a name can be no path.
func plain(name string) bool {
	if name == "" || len(name) > 255 || name[0] == '.' || name[0] == '-' {
		return false
	}
	for _, c := range []byte(name) {
		if c != '_' && c != '-' && c != '.' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

// envFile reads an env file, once for each state of it.
func (s *Sources) envFile(path string) (map[string]string, error) {
	info, err := os.Stat(path)
	if missing(err) {
		return nil, nil
	}
	if err != nil {
		return nil, cause(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if f, ok := s.files[path]; ok && os.SameFile(f.info, info) && f.info.ModTime().Equal(info.ModTime()) && f.info.Size() == info.Size() {
		return f.values, nil
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, cause(err)
	}
	defer f.Close()
	body, err := read(f)
	if err != nil {
		return nil, err
	}
	values, err := parseEnv(body)
	if err != nil {
		return nil, err
	}
	if s.files == nil {
		s.files = map[string]envFile{}
	}
	s.files[path] = envFile{info, values}
	return values, nil
}

// parseEnv reads the text of an env file. A dollar sign is one: $ and \$ both
// stand for it, and no variable is put in its place.
func parseEnv(text string) (map[string]string, error) {
	dollar := '\uE000' // private use; any rune will do that the text does not hold
	for strings.ContainsRune(text, dollar) {
		dollar++
	}
	text = strings.TrimPrefix(text, "\uFEFF")
	text = strings.NewReplacer(`\$`, string(dollar), "$", string(dollar)).Replace(text)
	values, err := godotenv.Unmarshal(text)
	if err != nil {
		return nil, brokenEnv(text) // the library's own error shows the value
	}
	for k, v := range values {
		values[k] = strings.ReplaceAll(v, string(dollar), "$")
	}
	return values, nil
}

// inDirectory reads the file of this name. Links are followed as long as they
// stay inside of the directory.
func inDirectory(dir, name string) (value string, ok bool, err error) {
	root, err := os.OpenRoot(dir)
	if missing(err) {
		return "", false, nil
	}
	if err != nil {
		return "", false, cause(err)
	}
	defer func() { _ = root.Close() }()
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if missing(err) {
		return "", false, nil
	}
	if err != nil {
		return "", false, cause(err)
	}
	defer f.Close()
	if value, err = read(f); err != nil {
		return "", false, err
	}
	value = strings.TrimSuffix(value, "\n")
	return strings.TrimSuffix(value, "\r"), true, nil
}

// read reads a file that is one and not too large.
func read(f *os.File) (string, error) {
	info, err := f.Stat()
	if err != nil {
		return "", cause(err)
	}
	if !info.Mode().IsRegular() {
		return "", errors.New("it is not a file")
	}
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return "", cause(err)
	}
	if len(b) > maxFile {
		return "", errors.New("it is larger than 1 MiB")
	}
	return string(b), nil
}

func missing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

// cause is an error of the file system without the path, which its caller
// says.
func cause(err error) error {
	var e *fs.PathError
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

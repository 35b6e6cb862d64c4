// Package tokens makes and keeps the tokens that callers of an engine show: one
// of its own, and one for each pipeline whose primary calls. Each is alone in a
// file that only its user may read.
//
// Several processes may make and read the same tokens at once.
package tokens

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// longest is how many bytes of a file are read.
const longest = 4096

// settled is how old a file must be before its stamp tells it from what it will
// be next; a tick of Linux has 10 ms at the most.
const settled = time.Second

// File reads the token of a file, and makes it where there is none. The error
// says what is not safe about the file, and the way out; it shows no token.
func File(path string) (string, error) {
	for {
		token, err := read(path)
		if !errors.Is(err, fs.ErrNotExist) {
			return token, err
		}
		if err := write(path); err != nil && !errors.Is(err, fs.ErrExist) {
			return "", err
		}
	}
}

// read reads a token that was made, by us or by the user.
func read(path string) (string, error) {
	// Neither a link to follow nor a pipe to wait on.
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, unix.ELOOP) {
		return "", fmt.Errorf("%s is a link: remove it, and a new token is made", path)
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return "", &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		return "", fmt.Errorf("%s is no file: remove it, and a new token is made", path)
	case int(st.Uid) != os.Geteuid():
		return "", fmt.Errorf("%s belongs to another user: remove it, and a new token is made", path)
	case st.Mode&0o077 != 0:
		return "", fmt.Errorf("%s can be read by others: remove it, and a new token is made", path)
	}
	b, err := io.ReadAll(io.LimitReader(f, longest))
	token := strings.TrimSpace(string(b))
	switch {
	case err != nil:
		return "", err
	case token == "":
		return "", fmt.Errorf("%s is empty: remove it, and a new token is made", path)
	}
	return token, nil
}

// write makes a new token and gives it its name when it is whole and on the
// disk, unless somebody else was first.
func write(path string) error {
	var b [32]byte
	_, _ = rand.Read(b[:]) // it never fails
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".token-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(base64.RawURLEncoding.EncodeToString(b[:]) + "\n")
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Store is the tokens of the pipelines of one state directory, as
// tokens/<system>/<name> in it. It is safe for concurrent use.
type Store struct {
	dir string

	mu    sync.Mutex
	known map[string]kept
}

// kept is a token with what told its file from any other.
type kept struct {
	token   string
	ino     uint64
	size    int64
	changed unix.Timespec // whatever changes a file changes this
}

// New gives the tokens of a state directory, and makes nothing yet.
func New(state string) *Store {
	return &Store{dir: filepath.Join(state, "tokens"), known: map[string]kept{}}
}

// Path is where the token of a pipeline lies, which need not be there.
func (s *Store) Path(id string) string { return filepath.Join(s.dir, filepath.FromSlash(id)) }

// id is a function because to compile it costs a hundredth of a start.
var id = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}/[a-z0-9][a-z0-9-]{0,62}$`)
})

// Token gives the token of a pipeline, system/name, and makes it where there is
// none. One that was read already costs one look at its file.
func (s *Store) Token(pipeline string) (string, error) {
	if !id().MatchString(pipeline) {
		return "", fmt.Errorf("%.100q is no name of a pipeline", pipeline)
	}
	path := s.Path(pipeline)
	now, ok := stamp(path)
	s.mu.Lock()
	x, known := s.known[pipeline]
	s.mu.Unlock()
	if token := x.token; ok && known {
		if x.token = ""; x == now {
			return token, nil
		}
	}
	for _, dir := range []string{s.dir, filepath.Dir(path)} {
		if err := private(dir); err != nil {
			return "", fmt.Errorf("the token of %s: %w", pipeline, err)
		}
	}
	token, err := File(path)
	if err != nil {
		return "", fmt.Errorf("the token of %s: %w", pipeline, err)
	}
	// What is kept was read after it was looked at: a file that changed in between
	// is read again. One that is new may change within the tick of the same stamp.
	if ok && time.Since(time.Unix(now.changed.Unix())) > settled {
		now.token = token
		s.mu.Lock()
		s.known[pipeline] = now
		s.mu.Unlock()
	}
	return token, nil
}

// stamp tells a file from any other, and from what it was with other content,
// rights or another owner; its token is empty.
func stamp(path string) (kept, bool) {
	var st unix.Stat_t
	if unix.Lstat(path, &st) != nil {
		return kept{}, false
	}
	return kept{ino: st.Ino, size: st.Size, changed: st.Ctim}, true
}

// private makes a folder that is of this user alone, or makes one so.
func private(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	var st unix.Stat_t
	if err := unix.Lstat(dir, &st); err != nil {
		return &fs.PathError{Op: "stat", Path: dir, Err: err}
	}
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFDIR || int(st.Uid) != os.Geteuid():
		return fmt.Errorf("%s is no folder of this user: remove it, and new tokens are made", dir)
	case st.Mode&0o7777 != 0o700:
		return os.Chmod(dir, 0o700)
	}
	return nil
}

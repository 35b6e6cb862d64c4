package worktree

import (
	"crypto/sha1" //nolint:gosec // git's own checksum
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// IndexProblem says what is wrong with the index file; "" when its checksum is
// right.
func (r *Repo) IndexProblem() string {
	b, err := os.ReadFile(filepath.Join(r.GitDir, "index"))
	if errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	if err != nil {
		return "cannot be read"
	}
	sum := sha1.New() //nolint:gosec // git's own checksum
	if r.Objects == "sha256" {
		sum = sha256.New()
	}
	n := len(b) - sum.Size()
	if n < 12 || string(b[:4]) != "DIRC" {
		return "is damaged"
	}
	if v := binary.BigEndian.Uint32(b[4:]); v < 2 || v > 4 {
		return "has a version that git does not know"
	}
	sum.Write(b[:n])
	none := make([]byte, sum.Size()) // index.skipHash
	if is := string(b[n:]); is != string(sum.Sum(nil)) && is != string(none) {
		return "is damaged"
	}
	return ""
}

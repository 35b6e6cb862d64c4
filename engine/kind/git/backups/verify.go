package backups

import (
	"bytes"
	"context"
	"crypto/sha1" //nolint:gosec // git's own checksum
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"strconv"
	"strings"

	"github.com/redundctl/redundctl/engine/kind/git/worktree"
)

// Verify reads every object of a backup and compares its checksum: its trees,
// and the commits that its base, or the remotes, do not have. With quick, the
// content that the base holds is taken as read.
func (r *Repo) Verify(ctx context.Context, b *Backup, quick bool) error {
	list := []string{"rev-list", "--objects", "--no-object-names"}
	whole := append(append(list[:3:3], "--no-walk=unsorted", b.Commit), b.Parents...)
	var calls [][]string
	switch {
	case b.Meta.Base != "" && r.Here(ctx, b.Meta.Base):
		calls = append(calls, append(list[:3:3], b.Commit, "--not", b.Meta.Base))
		if !quick {
			calls = append(calls, whole)
		}
	case quick:
		calls = append(calls, whole)
	default:
		calls = append(calls, whole, append(list[:3:3], b.Commit, "--not", "--remotes"))
	}
	var oids []byte
	for _, args := range calls {
		out, err := r.Git(ctx, worktree.Call{Args: args})
		if err != nil {
			return err
		}
		oids = append(oids, out...)
	}
	c := &checker{algorithm: r.Objects}
	_, err := r.Git(ctx, worktree.Call{Stdin: oids, Out: c, Args: []string{"cat-file", "--batch", "--buffer"}})
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case c.err != nil:
		return c.err
	case err != nil:
		return err
	case c.left != 0 || c.sum != nil || len(c.head) != 0 || c.seen != bytes.Count(oids, []byte("\n")):
		return errors.New("not every object could be read")
	}
	return nil
}

// checker reads the output of `git cat-file --batch` and holds every object
// against its checksum, however large it is.
type checker struct {
	algorithm string
	head      []byte // of a header, so far
	oid       string
	sum       hash.Hash // of the object at hand; nil between objects
	left      int64     // bytes of it to come
	seen      int
	err       error
}

// Write takes the next piece.
func (c *checker) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 && c.err == nil {
		switch {
		case c.sum == nil:
			i := bytes.IndexByte(p, '\n')
			if i < 0 {
				c.head = append(c.head, p...)
				return n, nil
			}
			c.begin(string(append(c.head, p[:i]...)))
			c.head, p = c.head[:0], p[i+1:]
		case c.left > 0:
			k := min(int64(len(p)), c.left)
			c.sum.Write(p[:k])
			c.left, p = c.left-k, p[k:]
		default: // the newline after an object
			if got := hex.EncodeToString(c.sum.Sum(nil)); got != c.oid {
				c.err = fmt.Errorf("object %s is damaged", c.oid)
			}
			c.sum, p = nil, p[1:]
			c.seen++
		}
	}
	return n, nil
}

func (c *checker) begin(line string) {
	f := strings.Fields(line)
	if len(f) != 3 {
		c.err = fmt.Errorf("object %s", line) // "<oid> missing"
		return
	}
	size, err := strconv.ParseInt(f[2], 10, 64)
	if err != nil {
		c.err = fmt.Errorf("object %s has no size", f[0])
		return
	}
	c.oid, c.left, c.sum = f[0], size, sha1.New() //nolint:gosec // git's own checksum
	if c.algorithm == "sha256" {
		c.sum = sha256.New()
	}
	fmt.Fprintf(c.sum, "%s %d\x00", f[1], size)
}

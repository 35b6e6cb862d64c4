// Package local reads what a git repository on this machine says of itself:
// its commit, its branch and where it came from. It reads the files of git,
// whose form gitrepository-layout(5) describes, and starts no program, so a
// dry run and `coverage` may use it. What a repository keeps in another way
// (reftable) is not known.
package local

import (
	"bufio"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// Repository is what is known. What is not is empty.
type Repository struct {
	Top    string // the work tree, absolute
	Ref    string // as refs/heads/main; "": detached
	SHA    string
	Origin Origin
}

// Origin is the address of the remote `origin`.
type Origin struct {
	Host  string // as github.com
	Owner string
	Name  string
}

// Slug is owner/name, or "".
func (o Origin) Slug() string {
	if o.Owner == "" || o.Name == "" {
		return ""
	}
	return o.Owner + "/" + o.Name
}

const smallFile = 1 << 20

// Open looks for the repository that a directory lies in.
func Open(dir string) Repository {
	for at := filepath.Clean(dir); ; at = filepath.Dir(at) {
		if git, ok := gitDir(at); ok {
			return read(at, git)
		}
		if at == filepath.Dir(at) {
			return Repository{}
		}
	}
}

// gitDir is the git directory of a work tree: .git, or what the file .git names.
func gitDir(top string) (string, bool) {
	path := filepath.Join(top, ".git")
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return "", false
	case info.IsDir():
		return path, true
	case !info.Mode().IsRegular():
		return "", false
	}
	to, ok := strings.CutPrefix(text(path), "gitdir: ")
	if !ok {
		return "", false
	}
	return relative(top, to), true
}

func relative(to, path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(to, path)
}

// text is a small file without white space around it, or "".
func text(path string) string {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > smallFile {
		return ""
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

func read(top, git string) Repository {
	r := Repository{Top: top}
	common := git
	if c := text(filepath.Join(git, "commondir")); c != "" {
		common = relative(git, c)
	}
	head := text(filepath.Join(git, "HEAD"))
	if ref, ok := strings.CutPrefix(head, "ref: "); ok {
		if ref = strings.TrimSpace(ref); filepath.IsLocal(ref) && ref != "refs/heads/.invalid" {
			r.Ref, r.SHA = ref, commit(git, common, ref)
		}
	} else if hash(head) {
		r.SHA = head
	}
	r.Origin = origin(filepath.Join(common, "config"))
	return r
}

func hash(s string) bool {
	return (len(s) == 40 || len(s) == 64) && strings.Trim(s, "0123456789abcdef") == ""
}

// commit is what a reference points at.
func commit(git, common, ref string) string {
	for _, dir := range []string{git, common} {
		if s := text(filepath.Join(dir, filepath.FromSlash(ref))); hash(s) {
			return s
		}
	}
	f, err := os.Open(filepath.Join(common, "packed-refs"))
	if err != nil {
		return ""
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if sum, name, ok := strings.Cut(lines.Text(), " "); ok && name == ref && hash(sum) {
			return sum
		}
	}
	return ""
}

// origin reads the address of the remote origin from git's configuration.
func origin(config string) Origin {
	in := false
	for l := range strings.Lines(text(config)) {
		l = strings.TrimSpace(l)
		switch {
		case strings.HasPrefix(l, "["):
			in = strings.EqualFold(strings.Join(strings.Fields(l), " "), `[remote "origin"]`)
		case in:
			if k, v, ok := strings.Cut(l, "="); ok && strings.EqualFold(strings.TrimSpace(k), "url") {
				return Address(strings.Trim(strings.TrimSpace(v), `"`))
			}
		}
	}
	return Origin{}
}

// Address takes the address of a remote apart, whichever way it is written. One
// that names no host, as a path, gives nothing.
func Address(s string) Origin {
	host, path := "", ""
	if u, err := url.Parse(s); err == nil && u.Host != "" {
		if u.Scheme == "file" {
			return Origin{}
		}
		host, path = u.Hostname(), u.Path
	} else if before, after, ok := strings.Cut(s, ":"); ok && !strings.Contains(before, "/") {
		_, host, _ = strings.Cut(before, "@")
		if host == "" {
			host = before
		}
		path = after
	}
	path = strings.TrimSuffix(strings.Trim(path, "/"), ".git")
	owner, name, ok := strings.Cut(path, "/")
	if host == "" || !ok || owner == "" || name == "" || strings.Contains(name, "/") || strings.ContainsAny(path, " \t\"'\\") {
		return Origin{}
	}
	return Origin{Host: strings.ToLower(host), Owner: owner, Name: name}
}

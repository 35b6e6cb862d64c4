package pipelines

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// repo is a repository that somebody has put pipelines of the catalogue into.
type repo struct {
	folder
	home string
	env  []string
}

// newRepo makes a folder with pipelines ("system/name") and the tools of source
// code beside them, and the files given. Nothing is tried again: a finding stays
// one. Its home has the caches of whoever runs the test, and nothing else of them.
func newRepo(t *testing.T, files map[string]string, pipelines ...string) *repo {
	t.Helper()
	r := &repo{folder: folder{t, t.TempDir()}, home: t.TempDir()}
	for _, p := range pipelines {
		src, err := os.ReadFile(p + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		r.write("pipelines/"+p+".yaml", strings.ReplaceAll(string(src), "retry: {attempts: 3, delay: 5s}", "retry: {attempts: 1}"))
	}
	for _, dir := range []string{"tools", "tools/code"} {
		list, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range list {
			if f.Type().IsRegular() {
				text, err := os.ReadFile(filepath.Join(dir, f.Name()))
				if err != nil {
					t.Fatal(err)
				}
				r.write(filepath.Join("pipelines", dir, f.Name()), string(text))
			}
		}
	}
	r.write(".gitignore", ".redund\nnode_modules\n")
	for name, text := range files {
		r.write(name, text)
	}
	r.env = []string{"PATH=" + filepath.Dir(program) + ":" + os.Getenv("PATH"), "HOME=" + r.home, "TMPDIR=" + t.TempDir(), "CGO_ENABLED=0"}
	r.shareCaches()
	return r
}

// shareCaches links the installed tools and how npm is set up into the home of
// the test. Go is told where its caches are: it builds anew what lies elsewhere.
func (r *repo) shareCaches() {
	r.t.Helper()
	shareTools(r.t, filepath.Join(r.home, ".cache"))
	own, err := os.UserHomeDir()
	if err != nil {
		r.t.Fatal(err)
	}
	rc := filepath.Join(own, ".npmrc")
	if _, err := os.Lstat(rc); err == nil {
		if err := os.Symlink(rc, filepath.Join(r.home, ".npmrc")); err != nil {
			r.t.Fatal(err)
		}
	}
	names := []string{"GOPATH", "GOMODCACHE", "GOCACHE", "GOPROXY", "GOFLAGS"}
	values, err := exec.Command("go", append([]string{"env"}, names...)...).Output()
	if err != nil {
		r.t.Fatal(err)
	}
	for i, v := range strings.Split(strings.TrimSuffix(string(values), "\n"), "\n") {
		r.env = append(r.env, names[i]+"="+v)
	}
}

// again has the steps of a pipeline tried three times, with short pauses.
func (r *repo) again(name string) {
	r.t.Helper()
	file := "pipelines/" + name + ".yaml"
	r.write(file, strings.ReplaceAll(r.read(file), "{attempts: 1}", "{attempts: 3, delay: 10ms}"))
}

// command runs a program in the repository, KEY=VALUE first, and gives what it
// printed; it must succeed.
func (r *repo) command(words ...string) string {
	r.t.Helper()
	env := append(slices.Clone(r.env), "GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com")
	for len(words) > 0 && strings.Contains(words[0], "=") {
		env, words = append(env, words[0]), words[1:]
	}
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Dir, cmd.Env = r.dir, env
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("%v: %v\n%s", words, err, out)
	}
	return strings.TrimSpace(string(out))
}

// commitAll commits everything.
func (r *repo) commitAll(message string) {
	r.t.Helper()
	if _, err := os.Stat(filepath.Join(r.dir, ".git")); err != nil {
		r.command("git", "init", "-q", "-b", "main")
	}
	r.command("git", "add", "-A")
	r.command("git", "commit", "-q", "--allow-empty", "-m", message)
}

// ended is how a run of the catalogue ended.
type ended struct {
	outcome
	repo *repo
}

// run runs a pipeline with params (key=value).
func (r *repo) run(name string, params ...string) ended {
	r.t.Helper()
	return ended{r.redundctl(r.env, name, params...), r}
}

// clean holds that a run succeeded.
func (e ended) clean() {
	e.repo.t.Helper()
	if e.State != "succeeded" || e.code != 0 {
		e.repo.t.Errorf("%s, exit code %d: %s\n%s", e.State, e.code, e.Error, e.printed)
	}
}

// found holds that a run failed and that its error says all of the words.
func (e ended) found(words ...string) {
	e.repo.t.Helper()
	if e.State != "failed" || e.code != 1 {
		e.repo.t.Errorf("%s, exit code %d: %s\n%s", e.State, e.code, e.Error, e.printed)
	}
	for _, w := range words {
		if !strings.Contains(e.Error, w) {
			e.repo.t.Errorf("the error %q does not say %q\n%s", e.Error, w, e.printed)
		}
	}
}

// report reads a file that the run left, JSON into v when there is one.
func (e ended) report(name string, v any) string {
	e.repo.t.Helper()
	text := e.repo.artifact(e.outcome, name)
	if v != nil {
		if err := json.Unmarshal([]byte(text), v); err != nil {
			e.repo.t.Fatalf("%s: %v\n%s", name, err, text)
		}
	}
	return text
}

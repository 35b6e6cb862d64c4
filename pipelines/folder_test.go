package pipelines

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// variants reports whether more is tried of each pipeline than a defect and a
// clean case: the tools are real ones, and all of it takes four minutes of a
// processor. `make soak` asks for it.
func variants() bool { return os.Getenv("REDUNDCTL_VARIANTS") != "" }

// folder is a project whose pipelines are run by the real program.
type folder struct {
	t   *testing.T
	dir string
}

func (f folder) read(name string) string {
	f.t.Helper()
	text, err := os.ReadFile(filepath.Join(f.dir, name))
	if err != nil {
		f.t.Fatal(err)
	}
	return string(text)
}

func (f folder) write(name, text string) {
	f.t.Helper()
	file := filepath.Join(f.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		f.t.Fatal(err)
	}
}

// outcome is what a run came to.
type outcome struct {
	result
	code    int
	printed string
}

// redundctl runs a pipeline in an environment, with params as name=value.
func (f folder) redundctl(env []string, pipeline string, params ...string) outcome {
	f.t.Helper()
	args := []string{"-C", f.dir, "run", pipeline, "-o", "json"}
	for _, v := range params {
		args = append(args, "--param", v)
	}
	cmd := exec.CommandContext(f.t.Context(), program, args...)
	cmd.Env = env
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		f.t.Fatal(err)
	}
	o := outcome{code: cmd.ProcessState.ExitCode(), printed: out.String() + errs.String()}
	if err := json.Unmarshal(out.Bytes(), &o.result); err != nil {
		f.t.Fatalf("%s: %v\n%s", pipeline, err, o.printed)
	}
	return o
}

// artifact is a file that a run left.
func (f folder) artifact(o outcome, name string) string {
	f.t.Helper()
	return f.read(filepath.Join(".redund/artifacts", strconv.FormatInt(o.ID, 10), name))
}

// userCache is the folder of the user's for what can be made again. The tools of
// pipelines lie in it, where `make tools` puts them and every run finds them.
func userCache(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	return cache
}

// shareTools has the tools of this machine found in a folder that stands for the
// user's cache.
func shareTools(t *testing.T, cache string) {
	t.Helper()
	from, to := filepath.Join(userCache(t), "redundctl/tools"), filepath.Join(cache, "redundctl/tools")
	for _, dir := range []string{from, filepath.Dir(to)} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(from, to); err != nil {
		t.Fatal(err)
	}
}

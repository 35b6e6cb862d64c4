// Package pipelines is the catalogue of bundled pipelines. Its tests run them
// through the program itself, against real tools, and against servers on the
// loopback where the real ones cannot be reached.
package pipelines

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// program is the built redundctl.
var program string

func TestMain(m *testing.M) {
	os.Exit(testMain(m)) //nolint:forbidigo // the end of the test program
}

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "redundctl-pipelines-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "redundctl")
	build := exec.Command("go", "build", "-o", program, "../cmd/redundctl")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		panic(err)
	}
	return m.Run()
}

// result is what `run -o json` prints, as far as it is looked at.
type result struct {
	ID    int64
	State string
	Error string
	Steps []struct {
		ID, State, Error string
		Attempts         int
	}
}

func (r *result) step(t *testing.T, id string) (state, text string, attempts int) {
	t.Helper()
	for _, s := range r.Steps {
		if s.ID == id {
			return s.State, s.Error, s.Attempts
		}
	}
	t.Fatalf("the run has no step %q: %+v", id, r)
	return "", "", 0
}

func credentials() map[string]string {
	return map[string]string{
		"LINKEDIN_ACCESS_TOKEN": linkedInToken, "LINKEDIN_URN": linkedInURN, "IG_USER_ID": igUser, "IG_ACCESS_TOKEN": igToken,
		"X_API_KEY": xKey, "X_API_SECRET": xSecret, "X_ACCESS_TOKEN": xToken, "X_ACCESS_SECRET": xTokenSecret,
	}
}

// marketing runs marketing-sync in a project of its own, with its delays
// shortened, and returns the exit code and all that was printed too. Nothing
// that it prints or keeps may hold a credential.
func marketing(t *testing.T, s *social, env map[string]string) (r result, code int, printed string) {
	t.Helper()
	dir := t.TempDir()
	src, err := os.ReadFile("github-actions/marketing-sync.yaml")
	if err != nil {
		t.Fatal(err)
	}
	short := bytes.ReplaceAll(src, []byte("delay: 5s"), []byte("delay: 10ms"))
	if bytes.Equal(src, short) {
		t.Fatal("marketing-sync has no delay of 5s any more")
	}
	file := filepath.Join(dir, "pipelines/github-actions/marketing-sync.yaml")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, short, 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-C", dir, "run", "marketing-sync", "-o", "json", "--param", "message=We shipped",
		"--param", "image-url=https://example.com/release.jpg", "--param", "linkedin-url="+s.URL+"/linkedin",
		"--param", "instagram-url="+s.URL+"/graph", "--param", "twitter-url="+s.URL+"/x")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "TMPDIR=" + t.TempDir()}
	for k, v := range env {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	printed = out.String() + errs.String()
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatalf("%v\n%s", err, printed)
	}
	holdsNoCredential(t, dir, printed)
	return r, cmd.ProcessState.ExitCode(), printed
}

func holdsNoCredential(t *testing.T, dir, printed string) {
	t.Helper()
	for name, value := range credentials() {
		if strings.Contains(printed, value) {
			t.Errorf("%s was printed:\n%s", name, printed)
		}
	}
	seen := 0
	err := filepath.WalkDir(filepath.Join(dir, ".redund"), func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(p)
		for name, value := range credentials() {
			if bytes.Contains(b, []byte(value)) {
				t.Errorf("%s is in %s", name, p)
			}
		}
		seen++
		return err
	})
	if err != nil || seen == 0 {
		t.Errorf("looking through the state directory: %d files, %v", seen, err)
	}
}

func TestMarketingPostsEverywhere(t *testing.T) {
	t.Parallel()
	s := newSocial(t)
	s.notReady = 1 // Instagram is still fetching the picture
	r, code, printed := marketing(t, s, credentials())
	if r.State != "succeeded" || code != 0 {
		t.Fatalf("%s, exit code %d: %s\n%s", r.State, code, r.Error, printed)
	}
	for _, platform := range []string{"linkedin", "instagram", "x"} {
		if got := s.posts[platform]; len(got) != 1 || got[0] != "We shipped" {
			t.Errorf("%s has %q", platform, got)
		}
	}
	if _, _, attempts := r.step(t, "instagram"); attempts != 2 {
		t.Errorf("publishing took %d attempts, want 2", attempts)
	}
}

// TestD13NoPlatform: all skipped is not a success.
func TestD13NoPlatform(t *testing.T) {
	t.Parallel()
	s := newSocial(t)
	r, code, printed := marketing(t, s, nil)
	if r.State != "failed" || code != 1 || len(s.requests) != 0 {
		t.Errorf("%s, exit code %d, requests %v", r.State, code, s.requests)
	}
	for _, name := range []string{"LINKEDIN_URN", "IG_USER_ID", "X_API_SECRET"} {
		if !strings.Contains(printed, name) {
			t.Errorf("%s, which is missing, is not named:\n%s", name, printed)
		}
	}
}

func TestMarketingSkipsWhatHasNoCredentials(t *testing.T) {
	t.Parallel()
	s := newSocial(t)
	env := credentials()
	delete(env, "LINKEDIN_URN")
	delete(env, "IG_ACCESS_TOKEN")
	r, code, printed := marketing(t, s, env)
	if r.State != "succeeded" || code != 0 || len(s.posts["x"]) != 1 || len(s.posts) != 1 {
		t.Errorf("%s, exit code %d, posts %v\n%s", r.State, code, s.posts, printed)
	}
	for _, id := range []string{"linkedin", "instagram-container", "instagram"} {
		if state, _, _ := r.step(t, id); state != "skipped" {
			t.Errorf("%s is %s", id, state)
		}
	}
	if !strings.Contains(printed, "skipping LinkedIn") {
		t.Errorf("the skip is not named:\n%s", printed)
	}
}

// TestD13Refusals: a post's result is its API's answer, whatever the others
// say, and what is asked to wait waits.
func TestD13Refusals(t *testing.T) {
	t.Parallel()
	busy := fault{status: 503, body: `{"message":"busy"}`}
	for name, c := range map[string]struct {
		platform, step string
		faults         []fault
		env            map[string]string
		state          string
		attempts       int
		says           string
	}{
		"linkedin token expired": {"linkedin", "linkedin", nil, map[string]string{"LINKEDIN_ACCESS_TOKEN": "old"}, "failed", 3, "401 Unauthorized: Invalid access token"},
		"instagram token expired": {
			"container", "instagram-container", nil, map[string]string{"IG_ACCESS_TOKEN": "old"}, "failed", 3, "Session has expired",
		},
		"x signed with another secret": {"x", "x", nil, map[string]string{"X_ACCESS_SECRET": "other"}, "failed", 3, "401 Unauthorized"},
		"x asks to wait": {
			"x", "x", []fault{{429, http.Header{"Retry-After": {"1"}}, `{"title":"Too Many Requests"}`}}, nil, "succeeded", 2, "",
		},
		"linkedin busy, then not": {"linkedin", "linkedin", []fault{busy, busy}, nil, "succeeded", 3, ""},
		"linkedin busy":           {"linkedin", "linkedin", []fault{busy, busy, busy}, nil, "failed", 3, "503 Service Unavailable: busy"},
		"linkedin says nonsense": {
			"linkedin", "linkedin", []fault{{201, nil, `<html>`}, {201, nil, `{"id":`}, {201, nil, ``}}, nil, "failed", 3, "does not match",
		},
		"instagram answers 200 and an error": {
			"instagram", "instagram", []fault{{200, nil, `{}`}, {200, nil, `{}`}, {200, nil, `{}`}}, nil, "failed", 3, "does not match",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSocial(t)
			s.faults[c.platform] = c.faults
			env := credentials()
			for k, v := range c.env {
				env[k] = v
			}
			r, code, printed := marketing(t, s, env)
			state, text, attempts := r.step(t, c.step)
			if state != c.state || attempts != c.attempts || !strings.Contains(text, c.says) {
				t.Errorf("step %s: %s after %d attempts: %s", c.step, state, attempts, text)
			}
			if want := map[bool]int{true: 0, false: 1}[c.state == "succeeded"]; r.State != c.state || code != want {
				t.Errorf("the run is %s with exit code %d\n%s", r.State, code, printed)
			}
			if c.platform != "x" && len(s.posts["x"]) != 1 {
				t.Errorf("X was left out because another platform refused: %v", s.posts)
			}
		})
	}
}

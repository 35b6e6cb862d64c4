package engine_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/redundctl/redundctl/engine"
	"github.com/redundctl/redundctl/engine/builtin"
	"github.com/redundctl/redundctl/engine/config"
	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// hard is a secret with all that changes when it is encoded.
const hard = "p4ss \"wörd\" & <more>/+=\\end"

const many = "first-line-of-key\nsecond-line-of-key\nthird-line-of-key"

// leaky is a pipeline that does with its secrets what it should not.
const leaky = `
version: 1
name: leaky
system: pm2
secrets: [HARD, MANY, SHOWN]
steps:
  - id: echo
    continue-on-error: true
    env: {H: "${{ secrets.HARD }}", M: "${{ secrets.MANY }}", SH: "${{ secrets.SHOWN }}"}
    run: |
      printf '%s\n' "$H" "$M"
      printf '%s' "$H" | base64 -w0; echo
      printf 'x%s' "$H" | base64 -w0; echo
      printf 'xy%s' "$M" | base64 -w0; echo
      printf '%s' "$H" | base64 -w0 | tr '+/' '-_'; echo
      printf '%s\n' "$URLED" "$JSONED"
      i=0; while [ $i -lt ${#H} ]; do printf '%s' "${H:$i:1}"; i=$((i+1)); done; echo
      printf '%s\n' "$H" >&2
      printf 'value=%s\n' "$H" >> "$REDUND_OUTPUT"
      printf 'key<<EOF\n%s\nEOF\n' "$M" >> "$REDUND_OUTPUT"
      printf 'LEAK=%s\n' "$SH" >> "$REDUND_ENV"
      printf '%s' "$H" > "$REDUND_ARTIFACTS/file"
      printf '%s' "$H" > "$REDUND_ARTIFACTS/$SH"
      touch "$REDUND_ARTIFACTS/ready"
      exit 3
  - id: fails
    continue-on-error: true
    exec: ["./${{ secrets.SHOWN }}"]
  - id: matrix
    matrix: {k: ["${{ secrets.SHOWN }}"]}
    exec: [echo, "${{ matrix.k }}", "${{ steps.echo.outputs.value }}"]
  - id: bad-url
    continue-on-error: true
    uses: http
    with: {url: "http://127.0.0.1:1/${{ secrets.SHOWN }}"}
    retry: {attempts: 2, delay: 1ms}
`

func leakyProject(t *testing.T, more string) (*config.Project, []string) {
	jsoned, err := json.Marshal(hard)
	if err != nil {
		t.Fatal(err)
	}
	text := leaky + more + "\ninherit-env: [URLED, JSONED]\n"
	p := project(t, map[string]string{"pipelines/pm2/leaky.yaml": text})
	return p, environ(t, "HARD="+hard, "MANY="+many, "SHOWN=shown-in-errors", "URLED="+url.QueryEscape(hard), "JSONED="+string(jsoned))
}

// searchState fails the test for every file of the state directory that holds
// a secret in any form.
func searchState(t *testing.T, state string) {
	t.Helper()
	forms := map[string]string{"raw": hard, "shown": "shown-in-errors", "query": url.QueryEscape(hard), "path": url.PathEscape(hard)}
	jsoned, err := json.Marshal(hard)
	if err != nil {
		t.Fatal(err)
	}
	forms["json"] = strings.Trim(string(jsoned), `"`)
	for i, line := range strings.Split(many, "\n") {
		forms[fmt.Sprint("line ", i)] = line
	}
	for _, v := range []string{hard, many} {
		for shift := range 3 {
			// What base64 makes of the secret whatever stands before and after it.
			s := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", shift) + v))
			s = s[4 : len(s)-4]
			forms[fmt.Sprint("base64 ", shift, v[:4])] = s
			forms[fmt.Sprint("base64url ", shift, v[:4])] = strings.NewReplacer("+", "-", "/", "_").Replace(s)
		}
	}
	files := 0
	err = filepath.WalkDir(state, func(path string, d fs.DirEntry, err error) error {
		for what, form := range forms {
			if strings.Contains(path, form) {
				t.Errorf("the path %s holds the secret (%s)", path, what)
			}
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		files++
		b, err := os.ReadFile(path)
		for what, form := range forms {
			if bytes.Contains(b, []byte(form)) {
				t.Errorf("%s holds the secret (%s)", path, what)
			}
		}
		return err
	})
	if err != nil || files < 2 {
		t.Fatalf("%d files in %s, %v", files, state, err)
	}
}

func TestNoSecretInState(t *testing.T) {
	t.Parallel()
	p, env := leakyProject(t, "")
	e, s := open(t, p, env)
	r := run(t, e, p, "leaky")
	if r.Run.State != pipeline.Succeeded {
		t.Fatalf("%s: %s", r.Run.State, r.Run.Error)
	}
	if got := fmt.Sprint(r.Steps[0].Outputs); strings.Count(got, "withheld") != 2 || *r.Steps[0].ExitCode != 3 {
		t.Errorf("the outputs are %s", got)
	}
	searchState(t, p.State)
	if _, err := os.Stat(filepath.Join(p.State, "artifacts", fmt.Sprint(r.Run.ID), "ready")); err != nil {
		t.Error(err)
	}
	if text := s.String(); strings.Contains(text, hard) || strings.Contains(text, "shown-in-errors") || !strings.Contains(text, "***") {
		t.Errorf("shown: %s", text)
	}
}

// victim is the program that is killed.
func victim(dir string) {
	fail := func(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
	p := load(context.Background(), fail, dir)
	s := &screen{seen: func(text string) {
		if strings.Contains(text, "reached") {
			fmt.Println("reached")
		}
	}}
	e, err := engine.New(context.Background(), engine.Options{Project: p, Kinds: builtin.Kinds(), Environ: os.Environ(), Output: s, Subreaper: true})
	if err != nil {
		panic(err)
	}
	r, err := e.RunNow(context.Background(), engine.RunRequest{Pipeline: p.Pipelines[0], Slot: served()})
	panic(fmt.Sprintf("it was to be killed: %v, %+v", err, r))
}

// TestKilled kills a process in the middle of a run: the state directory holds
// no secret, the run reads as interrupted, and what lay outside is removed.
func TestKilled(t *testing.T) {
	t.Parallel()
	p, env := leakyProject(t, "  - {id: wait, run: 'echo reached; sleep 1000'}")
	child := exec.Command(os.Args[0])
	child.Env = append(slices.Clone(env), asChild+"="+p.Root)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, len("reached"))); err != nil { // until the last step runs
		t.Fatal(err)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()
	searchState(t, p.State)
	temp := strings.TrimPrefix(env[1], "TMPDIR=")
	if list, err := os.ReadDir(temp); err != nil || len(list) != 1 {
		t.Fatalf("the killed process left %v in %s, %v", list, temp, err)
	}
	e, _ := open(t, p, env)
	if list := runs(t, p); len(list) != 1 || list[0].State != pipeline.Failed || list[0].Error != history.Interrupted {
		t.Errorf("recorded %+v", list)
	}
	if list, err := os.ReadDir(temp); err != nil || len(list) != 1 {
		t.Errorf("in %s there are %v, %v", temp, list, err)
	}
	_ = e
	searchState(t, p.State)
}

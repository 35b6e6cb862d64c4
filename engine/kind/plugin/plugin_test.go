package plugin

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/pipeline"
	"github.com/redundctl/redundctl/engine/proc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAnswers(t *testing.T) {
	t.Parallel()
	for script, want := range map[string]string{
		`echo '{"type":"output","name":"a","value":1}'; echo '{"type":"result","ok":true}'`: "",
		`echo '{"type":"result","ok":false,"error":"no luck"}'`:                             "no luck",
		`echo hello; sleep 60`:               "line 1 of its answer: not a JSON object",
		`echo '{"type":"log","protocol":2}'`: "protocol 2",
		`exit 0`:                             "without a result",
		`exit 4`:                             "exit code 4",
		`head -c 3000000 /dev/zero | tr '\0' x; sleep 60`: "over 2 MiB",
	} {
		p, err := proc.New(proc.Options{Subreaper: true})
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "p")
		if err := os.WriteFile(file, []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		a, err := New(map[string]string{"x": file}, "/", "")("x").Build(map[string]any{}, kind.Deps{Proc: p})
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		_, err = a.Run(t.Context(), &pipeline.Scope{Env: []string{"PATH=" + os.Getenv("PATH")}, Out: &out, Mask: func(s string) string { return s }})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", script, err, want)
		}
		p.Close()
	}
}

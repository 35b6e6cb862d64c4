package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/redundctl/redundctl/engine/api"
	"github.com/redundctl/redundctl/engine/api/client"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"redundctl": func() {
			os.Exit(program(os.Args[1:])) //nolint:forbidigo // the end of the program under test
		},
	})
}

// TestScript plays the sessions of testdata/script: what a user types, and what
// must be seen.
func TestScript(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			tmp := filepath.Join(e.WorkDir, ".tmp")
			if err := os.MkdirAll(tmp, 0o700); err != nil {
				return err
			}
			e.Defer(func() { endEngine(filepath.Join(e.WorkDir, ".redund")) })
			hook := httptest.NewServer(listener(e.WorkDir))
			e.Defer(hook.Close)
			e.Setenv("LISTENER", hook.URL)
			e.Setenv("TMPDIR", tmp)
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("TZ", "UTC")
			e.Setenv("NO_COLOR", "1")
			e.Setenv("GIT_CONFIG_GLOBAL", filepath.Join(e.WorkDir, ".gitconfig"))
			return nil
		},
	})
}

// listener is a web service that writes what it is told to the file told, and
// answers 503 while there is a file down.
func listener(dir string) http.HandlerFunc {
	var mu sync.Mutex
	return func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if _, err := os.Stat(filepath.Join(dir, "down")); err == nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		f, err := os.OpenFile(filepath.Join(dir, "told"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		defer f.Close()
		_, _ = fmt.Fprintf(f, "%s %s ", r.Method, r.URL.Path)
		_, _ = io.Copy(f, r.Body)
		_, _ = fmt.Fprintln(f)
	}
}

// endEngine ends the engine that a session which failed has left.
func endEngine(state string) {
	c, err := client.Open(state)
	if err != nil {
		return
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if _, err := c.StopEngine(ctx, api.StopRequest{Force: true}); err == nil {
		_ = c.Gone(ctx)
	}
}

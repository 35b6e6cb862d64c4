package pm2

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine/kind"
	"github.com/redundctl/redundctl/engine/pipeline"
)

// message is an answer in the daemon's form.
func message(parts ...string) []byte {
	out := []byte{protocol<<4 | byte(len(parts))}
	for _, p := range parts {
		out = append(binary.BigEndian.AppendUint32(out, uint32(len(p))), p...)
	}
	return out
}

// impostor listens where a daemon would and answers every call with the same
// bytes; then it hangs up, unless it is to be silent.
func impostor(t *testing.T, says []byte, silent bool) (home string) {
	t.Helper()
	home, err := os.MkdirTemp("", "pm2-")
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(home, "rpc.sock"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 4096))
			_, _ = c.Write(says)
			if silent {
				<-ctx.Done()
			}
			c.Close()
		}
	}()
	t.Cleanup(func() {
		cancel()
		l.Close()
		<-done
		os.RemoveAll(home)
	})
	return home
}

// TestImpostors: whatever answers in the daemon's place, a look ends within its
// time, and what is not understood says nothing.
func TestImpostors(t *testing.T) {
	t.Parallel()
	app := `{"name": "api", "pm_id": 0, "pid": 7, "pm2_env": {"status": "online", "restart_time": 0, "pm_uptime": 1795546014813}}`
	for name, c := range map[string]struct {
		says   []byte
		silent bool
		want   pipeline.Verdict
		words  string
	}{
		"a list":             {message(`j:{"args":[[`+app+`]]}`, callID), false, pipeline.Up, "is online since"},
		"a list, not closed": {message(`j:{"args":[[`+app+`]]}`, callID), true, pipeline.Up, "is online since"},
		"strange values": {message(`j:{"args":[[{"name":"api","pm_id":"0","pid":"7","pm2_env":{"status":"online","restart_time":"x","pm_uptime":[],"STATUS":"errored","exit_code":{}}}]]}`, callID),
			false, pipeline.Up, "is online"},
		"another form":     {message(`j:{"args":[[{"name":"api","pm_id":0,"pm2_env":{"status":{"is":"online"}}}]]}`, callID), false, pipeline.Down, `api is {"is":"online"}`},
		"nobody":           {message(`j:{"args":[[]]}`, callID), false, pipeline.Down, "not in the list"},
		"no value":         {message(`j:{"args":[]}`, callID), false, pipeline.Unknown, "no list"},
		"null":             {message(`j:{"args":[null]}`, callID), false, pipeline.Unknown, "no list"},
		"an object":        {message(`j:{"args":[{}]}`, callID), false, pipeline.Unknown, "should"},
		"entries of text":  {message(`j:{"args":[["api"]]}`, callID), false, pipeline.Unknown, "should"},
		"silence":          {nil, true, pipeline.Unknown, "no answer in time"},
		"hangs up":         {nil, false, pipeline.Unknown, "ends in the middle"},
		"half":             {message(`j:{"args":[[`+app+`]]}`, callID)[:60], false, pipeline.Unknown, "ends in the middle"},
		"half and silence": {message(`j:{"args":[[`+app+`]]}`, callID)[:60], true, pipeline.Unknown, "no answer in time"},
		"another version":  {append([]byte{2<<4 | 2}, message(`j:{"args":[[]]}`, callID)[1:]...), false, pipeline.Unknown, "another protocol (version 2"},
		"HTTP":             {[]byte("HTTP/1.1 400 Bad Request\r\n\r\n"), false, pipeline.Unknown, "another protocol"},
		"one part":         {message(`j:{"args":[[]]}`), false, pipeline.Unknown, "another protocol"},
		"too long":         {[]byte{protocol<<4 | 2, 0xff, 0xff, 0xff, 0xff, 'j', ':'}, true, pipeline.Unknown, "4294967295 bytes"},
		"text":             {message("s:hello", callID), false, pipeline.Unknown, "not JSON"},
		"no JSON":          {message(`j:{"args":[[}`, callID), false, pipeline.Unknown, "cannot be read"},
		"deep":             {message("j:"+strings.Repeat("[", 100_000), callID), false, pipeline.Unknown, "cannot be read"},
		"deep inside":      {message(`j:{"args":[[{"x":`+strings.Repeat("[", 100_000), callID), false, pipeline.Unknown, "cannot be read"},
		"an error":         {message(`j:{"error":"no such\nmethod","stack":"at x"}`, callID), false, pipeline.Unknown, "PM2 says: no such method"},
		"a strange error":  {message(`j:{"error":{"code":7}}`, callID), false, pipeline.Unknown, `PM2 says: {"code":7}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			home := impostor(t, c.says, c.silent)
			p, err := build(watched{Process: "api", Home: home}, kind.PrimaryDeps{Host: os.LookupEnv})
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			r, err := p.Probe(t.Context(), pipeline.Window{})
			if err != nil || r.Verdict != c.want || !strings.Contains(r.Reason, c.words) || strings.Contains(r.Reason, "\n") || len(r.Reason) > 600 {
				t.Errorf("%v %+v", err, r)
			}
			if took := time.Since(began); took > 20*lookLimit {
				t.Errorf("took %s", took)
			}
		})
	}
}

// TestNoSocket: what lies in the socket's place, and a path that is too long.
func TestNoSocket(t *testing.T) {
	t.Parallel()
	look := func(home string) error {
		_, err := list(t.Context(), home, lookLimit)
		return err
	}
	home := t.TempDir()
	if err := look(home); !errors.Is(err, errNoDaemon) {
		t.Errorf("nothing: %v", err)
	}
	if err := os.WriteFile(filepath.Join(home, "rpc.sock"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := look(home); !errors.Is(err, errNoDaemon) {
		t.Errorf("a file: %v", err)
	}
	if err := look(filepath.Join(home, strings.Repeat("x", 120))); err == nil || errors.Is(err, errNoDaemon) || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("a long path: %v", err)
	}
	if err := look(filepath.Join(home, "rpc.sock")); err == nil || errors.Is(err, errNoDaemon) {
		t.Errorf("below a file: %v", err)
	}
}

// TestSharedLook: probes of one home that look at the same time, or soon after
// one another, ask once.
func TestSharedLook(t *testing.T) {
	t.Parallel()
	h := newHome(impostor(t, message(`j:{"args":[[{"name":"api"}]]}`, callID), false))
	saw, before := h.look(t.Context(), "api", 0)
	first := h.asked
	if saw.err != nil || len(saw.all) != 1 || before != nil {
		t.Fatalf("%+v %v", saw, before)
	}
	if h.look(t.Context(), "web", time.Hour); !h.asked.Equal(first) {
		t.Error("it asked again, though somebody just had")
	}
	if _, before := h.look(t.Context(), "api", 0); h.asked.Equal(first) || len(before) != 1 {
		t.Error("it did not ask, though it was to")
	}
	h.turn <- struct{}{} // somebody looks and does not come back
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if saw, _ := h.look(ctx, "api", 0); saw.err == nil {
		t.Error("it did not give up")
	}
}

// BenchmarkAnswer reads a list of 15 applications of 5 KB each, as PM2 gives it.
func BenchmarkAnswer(b *testing.B) {
	env := `"A":"` + strings.Repeat("x", 100) + `"`
	for i := range 20 {
		env += fmt.Sprintf(`,"VARIABLE_%d":%q`, i, strings.Repeat("y", 90))
	}
	app := `{"name":"api","pm_id":0,"pid":7,"monit":{"memory":1,"cpu":0},"pm2_env":{` + env + `,"env":{` + env + `},"status":"online","pm_uptime":1795546014813}}`
	text := message(`j:{"args":[[`+strings.TrimSuffix(strings.Repeat(app+",", 15), ",")+`]]}`, callID)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		n := 0
		err := answer(bytes.NewReader(text), func(d *json.Decoder) error {
			_, err := array(d, func(d *json.Decoder) error {
				var a entry
				n++
				return object(d, fields{"name": into(&a.name), "pm_id": into(&a.id), "pid": into(&a.pid), "pm2_env": a.env})
			})
			return err
		})
		if err != nil || n != 15 {
			b.Fatal(err, n)
		}
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add(message(`j:{"args":[[{"name":"api","pm_id":0,"pid":7,"pm2_env":{"status":"online","pm_uptime":1795546014813}}]]}`, callID))
	f.Add(message(`j:{"error":"x"}`, callID))
	f.Add([]byte{protocol<<4 | 2, 0, 0, 0, 9})
	f.Fuzz(func(t *testing.T, b []byte) {
		var e entry
		err := answer(bytes.NewReader(b), func(d *json.Decoder) error {
			_, err := array(d, e.env)
			return err
		})
		if err != nil && err.Error() == "" {
			t.Error("an error without a word")
		}
		_ = e.application()
		_ = line(string(b))
	})
}

package proc

import (
	"context"
	"os"
	"testing"
	"time"
)

// TestLeft: what a command leaves running lives until End, whichever way it left
// the command's group, and its output goes on; what was written before the
// command ended is there when Run returns; a command that is cancelled leaves
// nothing.
func TestLeft(t *testing.T) {
	t.Parallel()
	s := spawner(t)
	wait := fifo(t)
	loop := `echo $$; while :; do read x < ` + wait + `; done`
	for name, script := range map[string]string{
		"group": `sh -c '` + loop + `' &`, "nohup": `nohup sh -c '` + loop + `' &`, "setsid": `setsid sh -c '` + loop + `' &`, "daemon": `(setsid sh -c '` + loop + `' &)`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ready := fifo(t)
			out := newLines()
			c := sh(script+"\nread x < "+ready+"; exit 3", out)
			var left Left
			c.Left = &left
			end := background(t.Context(), s, c)
			pids := out.pids(t, 1)
			if err := os.WriteFile(ready, []byte("go\n"), 0); err != nil {
				t.Fatal(err)
			}
			if r := <-end; r.Code != 3 || r.Killed {
				t.Errorf("%+v", r)
			}
			if st, err := readStat(pids[0]); err != nil || st.dead() {
				t.Errorf("it was ended with its command: %+v, %v", st, err)
			}
			// Another command does not mind.
			if r := <-background(t.Context(), s, sh("exit 4", newLines())); r.Code != 4 {
				t.Errorf("%+v", r)
			}
			left.End(time.Second)
			gone(t, pids...)
			left.End(time.Second)
		})
	}
	t.Run("cancelled", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		out := newLines()
		c := sh(`sh -c '`+loop+`' & `+loop, out)
		var left Left
		c.Left = &left
		end := background(ctx, s, c)
		pids := out.pids(t, 2)
		cancel()
		if r := <-end; !r.Killed {
			t.Errorf("%+v", r)
		}
		gone(t, pids...)
	})
	t.Run("quick", func(t *testing.T) {
		t.Parallel()
		out := newLines()
		c := sh("sleep 1000 >/dev/null 2>&1 & echo $!", out)
		var left Left
		c.Left = &left
		if r := <-background(t.Context(), s, c); r != (Result{}) {
			t.Errorf("%+v", r)
		}
		pids := out.pids(t, 1)
		if st, err := readStat(pids[0]); err != nil || st.dead() {
			t.Errorf("it was ended with its command: %+v, %v", st, err)
		}
		left.End(0)
		gone(t, pids...)
	})
}

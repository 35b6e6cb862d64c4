package supervise

import (
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine/pipeline"
)

func policy(name string) pipeline.Restart {
	return pipeline.Restart{
		Policy: name, Delay: pipeline.Duration(time.Second), MaxDelay: pipeline.Duration(time.Minute), MaxRestarts: 15,
		MinUptime: pipeline.Duration(10 * time.Second),
	}
}

func TestRestartPolicy(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		policy         string
		end            ended
		again, errored bool
	}{
		{"always", ended{lived: time.Hour}, true, false},
		{"always", ended{failed: true}, true, false},
		{"on-failure", ended{lived: time.Hour}, false, false},
		{"on-failure", ended{}, false, false},
		{"on-failure", ended{failed: true}, true, false},
		{"never", ended{lived: time.Hour}, false, false},
		{"never", ended{failed: true, lived: time.Hour}, false, true},
		{"never", ended{failed: true, lived: time.Hour, forced: true}, true, false},
	} {
		var r restarts
		if got := r.after(policy(c.policy), c.end, time.Unix(0, 0)); got.again != c.again || got.errored != c.errored {
			t.Errorf("%s after %+v: %+v", c.policy, c.end, got)
		}
	}
}

// TestDelays: the first restart comes at once, those that follow in a row later
// and later, and one that lived long enough begins anew.
func TestDelays(t *testing.T) {
	t.Parallel()
	var r restarts
	p, now := policy("always"), time.Unix(0, 0)
	for i, want := range []time.Duration{0, 1, 2, 4, 8, 16, 32, 60, 60} {
		if got := r.after(p, ended{failed: true, lived: 9 * time.Second}, now); !got.again || got.wait != want*time.Second {
			t.Errorf("restart %d: %+v, want a pause of %ds", i+1, got, want)
		}
	}
	if got := r.after(p, ended{failed: true, lived: 10 * time.Second}, now); got.wait != 0 {
		t.Errorf("after a long life: %+v", got)
	}
	if got := r.after(p, ended{failed: true}, now); got.wait != 0 {
		t.Errorf("the first one after that: %+v", got)
	}
	p.MinUptime = 0
	r = restarts{}
	r.after(p, ended{}, now)
	if got := r.after(p, ended{}, now); got.wait != time.Second || len(r.counted) != 0 {
		t.Errorf("where none counts: %+v", got)
	}
}

// TestErrored: the window slides, restart by restart.
func TestErrored(t *testing.T) {
	t.Parallel()
	p, short := policy("always"), ended{failed: true}
	p.MaxRestarts = 3
	at := func(m float64) time.Time { return time.Unix(0, 0).Add(time.Duration(m * float64(time.Minute))) }
	var r restarts
	for _, m := range []float64{0, 7, 14} {
		if got := r.after(p, short, at(m)); !got.again {
			t.Fatalf("at %v: %+v", m, got)
		}
	}
	if got := r.after(p, short, at(14.9)); !got.errored || got.again {
		t.Errorf("the fourth within 15 minutes: %+v", got)
	}
	if got := r.after(p, short, at(15)); !got.again {
		t.Errorf("the first one no longer counts: %+v", got)
	}
	if got := r.after(p, short, at(16)); !got.errored {
		t.Errorf("three since 7: %+v", got)
	}
	if got := r.after(p, ended{failed: true, lived: time.Minute}, at(16.5)); !got.again {
		t.Errorf("one that lived does not count: %+v", got)
	}
	p.MaxRestarts = 0
	if got := new(restarts).after(p, short, at(0)); !got.errored {
		t.Errorf("none is allowed: %+v", got)
	}
}

package meter_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/redundctl/redundctl/engine/meter"
)

func TestWrite(t *testing.T) {
	var m meter.Meter
	var empty strings.Builder
	m.Write(&empty)
	if !strings.Contains(empty.String(), "redundctl_lateness_seconds_count 0\n") {
		t.Errorf("%s", empty.String())
	}
	at := time.Date(2027, 3, 28, 1, 0, 0, 0, time.UTC)
	m.Decided(true, "scheduled")
	m.Decided(true, "scheduled")
	m.Decided(false, "overlap")
	m.Started(time.Time{}, at)
	m.Started(at, at.Add(-time.Second))
	m.Started(at, at.Add(10*time.Millisecond))
	m.Started(at, at.Add(2*time.Second))
	m.Started(at, at.Add(2*time.Hour))
	m.Ended("pm2", "failed")
	m.Late("pm2")
	m.Ended("a\"b\\\n", "failed")
	var b strings.Builder
	m.Write(&b)
	meter.Gauge(&b, "x", "An x.", 0.25)
	want := `# HELP redundctl_slots_total Slots decided since the engine started.
# TYPE redundctl_slots_total counter
redundctl_slots_total{decision="run",reason="scheduled"} 2
redundctl_slots_total{decision="skip",reason="overlap"} 1
# HELP redundctl_runs_total Runs that the engine has ended, by state.
# TYPE redundctl_runs_total counter
redundctl_runs_total{system="a\"b\\\n",state="failed"} 1
redundctl_runs_total{system="pm2",state="failed"} 1
# HELP redundctl_late_primaries_total Primaries that turned up after their backup ran.
# TYPE redundctl_late_primaries_total counter
redundctl_late_primaries_total{system="pm2"} 1
# HELP redundctl_lateness_seconds How long after their slot runs began.
# TYPE redundctl_lateness_seconds histogram
redundctl_lateness_seconds_bucket{le="0.01"} 2
redundctl_lateness_seconds_bucket{le="0.05"} 2
redundctl_lateness_seconds_bucket{le="0.1"} 2
redundctl_lateness_seconds_bucket{le="0.5"} 2
redundctl_lateness_seconds_bucket{le="1"} 2
redundctl_lateness_seconds_bucket{le="5"} 3
redundctl_lateness_seconds_bucket{le="30"} 3
redundctl_lateness_seconds_bucket{le="60"} 3
redundctl_lateness_seconds_bucket{le="300"} 3
redundctl_lateness_seconds_bucket{le="3600"} 3
redundctl_lateness_seconds_bucket{le="+Inf"} 4
redundctl_lateness_seconds_sum 7202.01
redundctl_lateness_seconds_count 4
# HELP x An x.
# TYPE x gauge
x 0.25
`
	if d := cmp.Diff(want, b.String()); d != "" {
		t.Error(d)
	}
}

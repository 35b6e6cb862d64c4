// Package meter counts what an engine does, for monitoring, and writes numbers
// as Prometheus reads them.
package meter

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Meter counts from the start of an engine. It may be used from several
// goroutines; the zero value is ready.
type Meter struct {
	mu    sync.Mutex
	slots map[[2]string]int64 // by decision and reason
	runs  map[[2]string]int64 // by system and state
	came  map[string]int64    // primaries that came late, by system
	late  []int64             // by bucket, the last one without a bound
	sum   float64             // of all lateness, in seconds
}

// bounds are the upper ones of the buckets of lateness, in seconds.
func bounds() []float64 { return []float64{0.01, 0.05, 0.1, 0.5, 1, 5, 30, 60, 300, 3600} }

// Decided counts a slot: whether a run serves it, and why.
func (m *Meter) Decided(run bool, reason string) {
	decision := "skip"
	if run {
		decision = "run"
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.slots == nil {
		m.slots = map[[2]string]int64{}
	}
	m.slots[[2]string{decision, reason}]++
}

// Started counts how late the run of a slot began; without a slot, nothing.
func (m *Meter) Started(slot, at time.Time) {
	if slot.IsZero() {
		return
	}
	late := max(at.Sub(slot).Seconds(), 0)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.late == nil {
		m.late = make([]int64, len(bounds())+1)
	}
	i, _ := slices.BinarySearch(bounds(), late)
	m.late[i]++
	m.sum += late
}

// Late counts a primary of a system that turned up after its backup ran.
func (m *Meter) Late(system string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.came == nil {
		m.came = map[string]int64{}
	}
	m.came[system]++
}

// Ended counts a run that the engine ran.
func (m *Meter) Ended(system, state string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.runs == nil {
		m.runs = map[[2]string]int64{}
	}
	m.runs[[2]string{system, state}]++
}

// Write writes what was counted.
func (m *Meter) Write(w io.Writer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	counted(w, Metric{"redundctl_slots_total", "counter", "Slots decided since the engine started."}, [2]string{"decision", "reason"}, m.slots)
	counted(w, Metric{"redundctl_runs_total", "counter", "Runs that the engine has ended, by state."}, [2]string{"system", "state"}, m.runs)
	came := Metric{"redundctl_late_primaries_total", "counter", "Primaries that turned up after their backup ran."}
	came.Head(w)
	for _, system := range slices.Sorted(maps.Keys(m.came)) {
		came.Value(w, float64(m.came[system]), "system", system)
	}
	late := Metric{"redundctl_lateness_seconds", "histogram", "How long after their slot runs began."}
	late.Head(w)
	n := int64(0)
	for i, b := range bounds() {
		if m.late != nil {
			n += m.late[i]
		}
		fmt.Fprintf(w, "%s_bucket{le=\"%s\"} %d\n", late.Name, text(b), n)
	}
	if m.late != nil {
		n += m.late[len(bounds())]
	}
	fmt.Fprintf(w, "%s_bucket{le=\"+Inf\"} %d\n%[1]s_sum %[3]s\n%[1]s_count %[2]d\n", late.Name, n, text(m.sum))
}

func counted(w io.Writer, m Metric, labels [2]string, by map[[2]string]int64) {
	m.Head(w)
	keys := slices.SortedFunc(maps.Keys(by), func(a, b [2]string) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) })
	for _, k := range keys {
		m.Value(w, float64(by[k]), labels[0], k[0], labels[1], k[1])
	}
}

// Metric is one name with its values.
type Metric struct {
	Name, Type, Help string // Type is counter, gauge or histogram
}

// Head writes what stands before the values.
func (m Metric) Head(w io.Writer) {
	fmt.Fprintf(w, "# HELP %s %s\n# TYPE %[1]s %[3]s\n", m.Name, m.Help, m.Type)
}

// Value writes one value; labels are names and values in turn.
func (m Metric) Value(w io.Writer, v float64, labels ...string) {
	var b strings.Builder
	for i := 0; i+1 < len(labels); i += 2 {
		b.WriteString(map[bool]string{true: "{", false: ","}[i == 0])
		b.WriteString(labels[i] + `="` + strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`).Replace(labels[i+1]) + `"`)
	}
	if b.Len() > 0 {
		b.WriteByte('}')
	}
	fmt.Fprintf(w, "%s%s %s\n", m.Name, b.String(), text(v))
}

// Gauge writes a name with its one value.
func Gauge(w io.Writer, name, help string, v float64) {
	m := Metric{name, "gauge", help}
	m.Head(w)
	m.Value(w, v)
}

func text(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

package simulate

import (
	"bufio"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/redundctl/redundctl/engine/pipeline"
)

// Plan says how late a primary begins its run for a slot, or that it begins none.
// It gives the same for the same slot.
type Plan func(slot time.Time) (late time.Duration, ok bool)

// Lateness is how late primaries are: log-normal through two points. The zero
// value is on time.
type Lateness struct{ P50, P99 time.Duration }

// z99 is how many standard deviations the 99th percentile of the normal
// distribution lies over its mean.
const z99 = 2.3263478740408408

// longest bounds how late a run is: a distribution with a long tail has no bound
// of its own, and times have.
const longest = 10 * 365 * 24 * time.Hour

// ParseLateness reads "p50=5m,p99=3h". What is left out is 0. The error says
// what is wrong, in one line.
func ParseLateness(s string) (Lateness, error) {
	var l Lateness
	seen := map[string]bool{}
	for part := range strings.SplitSeq(s, ",") {
		key, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		if !ok || key != "p50" && key != "p99" {
			return l, fmt.Errorf("%q is not of the form p50=5m,p99=3h", s)
		}
		if seen[key] {
			return l, fmt.Errorf("%q names %s twice", s, key)
		}
		seen[key] = true
		d, err := pipeline.ParseDuration(value)
		if err != nil {
			return l, fmt.Errorf("%s: %q is not a length of time as 90s, 5m or 1h30m", key, value)
		}
		if key == "p50" {
			l.P50 = d.Std()
		} else {
			l.P99 = d.Std()
		}
	}
	return l, l.Check()
}

// Check reports two points that no log-normal distribution goes through.
func (l Lateness) Check() error {
	switch {
	case l.P50 == 0 && l.P99 != 0:
		return errors.New("with p50=0s no p99 can be met: half of a log-normal lateness would have to be 0; give p50 a value, as p50=1s, or leave both at 0s")
	case l.P99 < l.P50:
		return fmt.Errorf("p99=%s is less than p50=%s: of 100 runs 99 cannot be earlier than 50; give p99 a value of %s at least", pipeline.Duration(l.P99), pipeline.Duration(l.P50), pipeline.Duration(l.P50))
	}
	return nil
}

// plan is what the primary of one pipeline does: with a chance of loss nothing,
// else it is late by l. What becomes of a slot depends on the seed, the pipeline
// and the slot alone, and on no other slot or pipeline.
func (l Lateness) plan(seed int64, id string, loss float64) Plan {
	h := fnv.New64a()
	_, _ = h.Write([]byte(strconv.FormatInt(seed, 10) + "\x00" + id))
	stream := h.Sum64()
	var source rand.PCG
	r := rand.New(&source)
	sigma := 0.0
	if l.P50 > 0 {
		sigma = math.Log(float64(l.P99)/float64(l.P50)) / z99
	}
	return func(slot time.Time) (time.Duration, bool) {
		source.Seed(stream, stir(uint64(slot.Unix())))
		if r.Float64() < loss {
			return 0, false
		}
		if l.P50 == 0 {
			return 0, true
		}
		late := float64(l.P50) * math.Exp(sigma*r.NormFloat64())
		if late > float64(longest) {
			return longest, true
		}
		return time.Duration(late).Round(time.Millisecond), true
	}
}

// stir spreads neighbouring numbers over all 64 bits (the end of splitmix64).
func stir(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Series is how late one primary was for one slot after the other, as somebody
// saw it.
type Series struct {
	Name, Cron string
	Late       []time.Duration // negative: it began no run
}

// ParseSeries reads series: a line `series NAME CRON`, and below it lengths of
// time, or the word lost, between spaces. Empty lines and what follows a # do not
// count. The error names the line.
func ParseSeries(r io.Reader) ([]Series, error) {
	var out []Series
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		text, _, _ := strings.Cut(lines.Text(), "#")
		if head, ok := strings.CutPrefix(text, "series "); ok {
			name, cron, _ := strings.Cut(strings.TrimSpace(head), " ")
			out = append(out, Series{Name: name, Cron: cron})
			continue
		}
		for _, word := range strings.Fields(text) {
			if len(out) == 0 {
				return nil, fmt.Errorf("line %d: %q belongs to no series", n, word)
			}
			last := &out[len(out)-1]
			if word == "lost" {
				last.Late = append(last.Late, -1)
				continue
			}
			d, err := pipeline.ParseDuration(word)
			if err != nil {
				return nil, fmt.Errorf("line %d: %q is neither a length of time nor lost", n, word)
			}
			last.Late = append(last.Late, d.Std())
		}
	}
	for _, s := range out {
		if len(s.Late) == 0 {
			return nil, fmt.Errorf("the series %s is empty", s.Name)
		}
	}
	return out, lines.Err()
}

// Plan gives a primary whose slots are late by the series, again and again; its
// first slot is at the first value. It is for slots in their order.
func (s Series) Plan() Plan {
	n := -1
	return func(time.Time) (time.Duration, bool) {
		n++
		late := s.Late[n%len(s.Late)]
		return late, late >= 0
	}
}

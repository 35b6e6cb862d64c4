package queue

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine/history"
	"github.com/redundctl/redundctl/engine/pipeline"
)

func waits(id int64, system, name string, priority int, due time.Time) history.Queued {
	return history.Queued{Run: pipeline.Run{ID: id, System: system, Pipeline: name}, Priority: priority, Due: due}
}

// plain is what a line must do, told the simplest way.
type plain struct {
	limits Limits
	wait   []history.Queued
	active map[string]int // by system, by system/name, and "" for all
}

func (p *plain) next(now time.Time) (history.Queued, bool) {
	slices.SortFunc(p.wait, func(a, b history.Queued) int {
		if (&entry{Queued: a}).before(&entry{Queued: b}) {
			return -1
		}
		return 1
	})
	for i, q := range p.wait {
		id := q.System + "/" + q.Pipeline
		if q.Due.After(now) || p.active[""] >= p.limits.Total || !free(p.active[q.System], p.limits.System[q.System]) || !free(p.active[id], p.limits.Pipeline[id]) {
			continue
		}
		p.wait = slices.Delete(p.wait, i, i+1)
		p.count(q, 1)
		return q, true
	}
	return history.Queued{}, false
}

func (p *plain) count(q history.Queued, n int) {
	p.active[""] += n
	p.active[q.System] += n
	p.active[q.System+"/"+q.Pipeline] += n
}

// TestTheLineAgainstAPlainOne takes random steps and holds that the line gives
// the same runs as a list that is searched from its beginning.
func TestTheLineAgainstAPlainOne(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		limits := func() Limits {
			l := Limits{Total: 1 + r.IntN(8), System: map[string]int{}, Pipeline: map[string]int{}}
			for s := range 3 {
				l.System[fmt.Sprint(s)] = r.IntN(5) - 1
				for p := range 3 {
					l.Pipeline[fmt.Sprintf("%d/%d", s, p)] = r.IntN(4) - 1
				}
			}
			return l
		}
		now := time.Unix(1e9, 0)
		first := limits()
		l, p := newLine(first), &plain{limits: first, active: map[string]int{}}
		var on []*entry
		id := int64(0)
		for step := range 400 {
			switch r.IntN(8) {
			case 0, 1, 2:
				id++
				q := waits(id, fmt.Sprint(r.IntN(3)), fmt.Sprint(r.IntN(3)), r.IntN(4), now.Add(time.Duration(r.IntN(60)-40)*time.Second))
				l.add(q, now)
				l.add(q, now) // known already
				p.wait = append(p.wait, q)
			case 3:
				if len(on) > 0 {
					i := r.IntN(len(on))
					l.done(on[i], time.Time{}, now)
					p.count(on[i].Queued, -1)
					on = slices.Delete(on, i, i+1)
				}
			case 4:
				now = now.Add(time.Duration(r.IntN(10)) * time.Second)
			case 5:
				p.limits = limits()
				l.limit(p.limits)
			case 6: // some have gone
				p.wait = slices.DeleteFunc(p.wait, func(history.Queued) bool { return r.IntN(10) == 0 })
				list := slices.Clone(p.wait)
				r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
				for _, e := range on {
					list = append(list, e.Queued)
				}
				l.replace(list, func(id int64) bool { return slices.ContainsFunc(on, func(e *entry) bool { return e.ID == id }) }, now)
			default:
				l.advance(now)
				want, ok := p.next(now)
				got := l.next()
				if (got != nil) != ok || ok && got.ID != want.ID {
					t.Fatalf("seed %d, step %d: got %+v, want %+v, %v", seed, step, got, want, ok)
				}
				if ok {
					on = append(on, got)
				}
			}
			if len(l.known) != len(p.wait) || l.active != len(on) {
				t.Fatalf("seed %d, step %d: %d wait and %d go on, want %d and %d", seed, step, len(l.known), l.active, len(p.wait), len(on))
			}
		}
	}
}

func TestPausesGrowToFiveSeconds(t *testing.T) {
	t.Parallel()
	now := time.Unix(1e9, 0)
	l := newLine(Limits{})
	l.add(waits(1, "a", "b", 1, now), now)
	for i, want := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 5 * time.Second, 5 * time.Second} {
		e := l.next()
		if e == nil {
			t.Fatalf("try %d: not given", i)
		}
		l.done(e, now.Add(e.pause()), now)
		if n, oldest := l.waiting(now); n != 1 || !oldest.Equal(time.Unix(1e9, 0)) {
			t.Errorf("try %d: %d wait since %s", i, n, oldest)
		}
		l.replace([]history.Queued{e.Queued}, func(int64) bool { return false }, now) // the pause is not forgotten
		if got := l.advance(now); got != want || l.next() != nil {
			t.Errorf("try %d: again after %s, want %s", i, got, want)
		}
		now = now.Add(want)
		l.advance(now)
	}
}

func TestWithoutALimitThereIsOne(t *testing.T) {
	t.Parallel()
	now := time.Now()
	l := newLine(Limits{})
	for i := range int64(300) {
		l.add(waits(i, "a", "b", 1, now), now)
	}
	n := 0
	for l.next() != nil {
		n++
	}
	if n != unlimited {
		t.Errorf("%d start", n)
	}
}

// BenchmarkLine is one run in and out of a line in which 10,000 wait behind a limit.
func BenchmarkLine(b *testing.B) {
	now := time.Now()
	l := newLine(Limits{Pipeline: map[string]int{"a/full": -1}})
	for i := range int64(10_000) {
		l.add(waits(i, "a", "full", 3, now), now)
		l.add(waits(10_000+i, fmt.Sprint(i%10), fmt.Sprint(i), 1, now), now)
	}
	id := int64(20_000)
	b.ReportAllocs()
	for b.Loop() {
		id++
		l.add(waits(id, "b", "c", 2, now), now)
		l.done(l.next(), time.Time{}, now)
	}
}

// TestWaitingOfOthers holds that runs of a system that is not to be started here
// are not counted: they wait for another engine.
func TestWaitingOfOthers(t *testing.T) {
	t.Parallel()
	now := time.Now()
	l := newLine(Limits{System: map[string]int{"theirs": -1}})
	l.add(waits(1, "theirs", "a", 0, now.Add(-time.Hour)), now)
	if n, _ := l.waiting(now); n != 0 {
		t.Errorf("%d wait", n)
	}
	l.add(waits(2, "ours", "a", 0, now.Add(-time.Minute)), now)
	if n, oldest := l.waiting(now); n != 1 || !oldest.Equal(now.Add(-time.Minute)) {
		t.Errorf("%d wait, the oldest since %s", n, oldest)
	}
}

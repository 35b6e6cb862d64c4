package takeover

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/redundctl/redundctl/engine/pipeline"
)

func usual() Policy { return Policy{Failures: 2, Recoveries: 2} }

// reading is what a word of a table stands for.
func reading(word string, now time.Time) pipeline.Reading {
	r := pipeline.Reading{Reason: word}
	switch word {
	case "crashed": // it was started a moment ago
		r.Verdict, r.Began = pipeline.Down, now.Add(-time.Millisecond)
	case "up":
		r.Verdict = pipeline.Up
	case "starting":
		r.Verdict = pipeline.Starting
	case "down":
		r.Verdict = pipeline.Down
	case "alive":
		r.Verdict, r.Alive = pipeline.Down, true
	case "refused":
		r.Verdict, r.Refused = pipeline.Unknown, true
	default:
		r.Verdict = pipeline.Unknown
	}
	return r
}

// TestTakeover: what comes of looks, one a second; +30s lets time pass, take and
// give are by hand, and restart is another engine.
func TestTakeover(t *testing.T) {
	t.Parallel()
	manual, unknown := usual(), usual()
	manual.Manual, unknown.UnknownIsBad = true, true
	for _, c := range []struct {
		name   string
		policy Policy
		looks  string
		want   string // the changes
		runs   bool
	}{
		{"an application that is up", usual(), "up up down up down up", "", false},
		{"two bad looks in a row", usual(), "up down down down", "takeover", true},
		{"one that says nothing breaks no row", usual(), "down unknown down", "takeover", true},
		{"its supervisor starts it", usual(), "down starting down starting down", "", false},
		{"never while a copy lives", usual(), "down alive alive alive +1h alive", "", false},
		{"once that copy is gone", usual(), "alive alive alive down", "takeover", true},
		{"the first sign of the primary", usual(), "down down starting", "takeover yielded", false},
		{"and it comes up", usual(), "down down starting up up", "takeover yielded failback", false},
		{"it is up at once", usual(), "down down up up", "takeover yielded failback", false},
		{"a good look and a bad one", usual(), "down down up down up down up up", "takeover yielded failback", false},
		{"it does not stay", usual(), "down down up down down", "takeover yielded taken-again", true},
		{"neither within 30 seconds", usual(), "down down starting +29s starting +1s", "takeover yielded taken-again", true},
		{"it says nothing for 30 seconds", usual(), "down down starting unknown +29s unknown", "takeover yielded taken-again", true},
		{"it was up and says nothing for 30 seconds", usual(), "down down up unknown +29s unknown", "takeover yielded taken-again", true},
		{"a copy was alive and says nothing for 30 seconds", usual(), "down down alive unknown +29s unknown +1h unknown", "takeover yielded", false},
		{"it is up but nobody looks", usual(), "down down up +1m +1m +1m", "takeover yielded", false},
		{"a copy turns up while ours runs", usual(), "down down alive +1h alive", "takeover yielded", false},
		{"one that fails to start while ours runs", usual(), "down down crashed", "takeover yielded", false},
		{"and comes up then", usual(), "down down crashed up up", "takeover yielded failback", false},
		{"or fails again", usual(), "down down crashed crashed crashed", "takeover yielded taken-again", true},
		{"one that crashes and crashes", usual(), "crashed crashed crashed down down", "takeover yielded taken-again", true},
		{"what was seen before is no sign", usual(), "up crashed down down", "takeover", true},
		{"and goes", usual(), "down down alive alive down", "takeover yielded taken-again", true},
		{"the third time in ten minutes", usual(), "down down up down down up down down up down down", "takeover yielded taken-again yielded taken-again yielded", false},
		{"after its pause", usual(), "down down up down down up down down up down down +30s down", "takeover yielded taken-again yielded taken-again yielded taken-again", true},
		{"the fourth pauses for longer", usual(), "down down up down down up down down up down down +30s down up down down +31s down", "takeover yielded taken-again yielded taken-again yielded taken-again yielded", false},
		{"ten minutes later", usual(), "down down up down down up down down +10m up down down", "takeover yielded taken-again yielded taken-again yielded taken-again", true},
		{"nobody can know", usual(), "up unknown unknown unknown unknown", "", false},
		{"nobody can know, and that is bad", unknown, "up unknown unknown", "takeover", true},
		{"a probe that never got an answer but a refusal", unknown, "refused refused refused refused", "", false},
		{"one that is refused now", unknown, "up refused refused", "takeover", true},
		{"no answer at all", unknown, "unknown unknown", "takeover", true},
		{"manual", manual, "down down up up up +1h up", "takeover", true},
		{"manual, given back", manual, "down down up up give up up", "takeover yielded failback", false},
		{"by hand", usual(), "up take up up up", "takeover", true},
		{"by hand, and back", usual(), "up take up give up up", "takeover yielded failback", false},
		{"given back to nobody", usual(), "up take give down down", "takeover yielded taken-again", true},
		{"nothing to give back", usual(), "up give up", "", false},
		{"taken while it yields", usual(), "down down up take up up", "takeover yielded takeover", true},
		{"another engine waits for a look", usual(), "down down restart", "takeover", false},
		{"and goes on", usual(), "down down restart down", "takeover taken-again", true},
		{"or finds the primary", usual(), "down down restart up up", "takeover yielded failback", false},
		{"or knows nothing", usual(), "down down restart unknown", "takeover taken-again", true},
		{"manual is kept", manual, "down down restart up up up", "takeover taken-again", true},
		{"by hand is kept", usual(), "up take restart", "takeover", true},
		{"a yield over an engine", usual(), "down down up restart up up", "takeover yielded yielded failback", false},
	} {
		var s State
		var got []string
		now := time.Unix(0, 0)
		for word := range strings.FieldsSeq(c.looks) {
			now = now.Add(time.Second)
			change := None
			switch {
			case word == "take":
				change = s.Take("by hand", now)
			case word == "give":
				change = s.Give(c.policy, "by hand", now)
			case word == "restart":
				s = Restored(State{Phase: s.Phase, Since: s.Since, Known: s.Known, Held: s.Held, Again: s.Again, Reason: s.Reason})
			case word[0] == '+':
				d, err := time.ParseDuration(word[1:])
				if err != nil {
					t.Fatal(err)
				}
				now = now.Add(d - time.Second)
				change = s.Tick(now)
			default:
				change = s.Look(c.policy, reading(word, now), now)
			}
			if change != None {
				got = append(got, string(change))
			}
		}
		if text := strings.Join(got, " "); text != c.want || s.Runs() != c.runs {
			t.Errorf("%s: %s gives %q, ours runs: %v (%+v); want %q, %v", c.name, c.looks, text, s.Runs(), s, c.want, c.runs)
		}
	}
}

func TestInconclusive(t *testing.T) {
	t.Parallel()
	var s State
	s.Look(usual(), reading("refused", time.Unix(0, 0)), time.Unix(0, 0))
	if s.Inconclusive(usual()) {
		t.Error("after one look")
	}
	s.Look(usual(), reading("unknown", time.Unix(1, 0)), time.Unix(1, 0))
	if !s.Inconclusive(usual()) {
		t.Error("not after two")
	}
	s.Look(usual(), reading("down", time.Unix(2, 0)), time.Unix(2, 0))
	if s.Inconclusive(usual()) {
		t.Error("after one that is")
	}
}

// TestYieldHasRoomForLooks: enough looks fit into a yield, whatever `every` is.
func TestYieldHasRoomForLooks(t *testing.T) {
	t.Parallel()
	for n := 1; n < 20; n++ {
		p := Policy{Failures: n, Recoveries: n}
		s := State{Phase: Yielding}
		if pace := s.Pace(p, time.Minute); pace*time.Duration(n) >= Yield {
			t.Errorf("%d looks every %s do not fit", n, pace)
		}
		s.Phase = Ours
		if s.Pace(p, time.Minute) != time.Minute {
			t.Error("it looks faster though it does not yield")
		}
	}
}

// TestInvariants holds, for looks at random:
//
//  1. Right after a look that shows the primary, its start or a living copy of
//     it, ours does not run, unless it is held by hand or failback is manual.
//  2. Ours begins only after `failures` bad looks since the primary was last
//     seen, by hand, or after a yield or another engine.
//  3. A takeover closes only after `recoveries` good looks in a row.
//  4. A yield without a sign of the primary lasts 30 seconds at most, and a pause
//     of flapping 5 minutes more.
//  5. Ours starts again without a pause at most twice in ten minutes.
func TestInvariants(t *testing.T) {
	t.Parallel()
	words := []string{"up", "down", "down", "down", "starting", "alive", "unknown", "refused", "crashed"}
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		p := Policy{Failures: 1 + rnd.IntN(3), Recoveries: 1 + rnd.IntN(3), Manual: rnd.IntN(4) == 0, UnknownIsBad: rnd.IntN(2) == 0}
		var s State
		now := time.Unix(0, 0)
		bad, good, yielded, quiet := 0, 0, time.Time{}, time.Time{}
		var fast []time.Time
		var trail []string
		fail := func(format string, args ...any) {
			t.Helper()
			t.Fatalf("seed %d, %+v: %s\nafter %s\n%+v", seed, p, fmt.Sprintf(format, args...), strings.Join(trail[max(len(trail)-20, 0):], " "), s)
		}
		for range 500 {
			now = now.Add(time.Duration(rnd.IntN(20)+1) * time.Second)
			word := words[rnd.IntN(len(words))]
			if rnd.IntN(60) == 0 {
				word = []string{"take", "give", "restart"}[rnd.IntN(3)]
			}
			trail = append(trail, word)
			before := s.Phase
			change := s.Tick(now)
			if change == None {
				switch word {
				case "take":
					change = s.Take(word, now)
				case "give":
					change = s.Give(p, word, now)
				case "restart":
					s = Restored(State{Phase: s.Phase, Since: s.Since, Known: s.Known, Held: s.Held, Again: s.Again})
				default:
					r := reading(word, now)
					known := s.Known
					change = s.Look(p, r, now)
					switch {
					case word == "up":
						good, bad = good+1, 0
					case word == "starting":
						good, bad = 0, 0
					case word == "down", word == "crashed", word == "alive", p.UnknownIsBad && (word == "unknown" || known):
						good, bad = 0, bad+1
					}
					if sign := word == "up" || word == "starting" || word == "alive" || word == "crashed" && before == Ours && change != Taken && change != Again; sign && s.Runs() && !s.Held && !p.Manual {
						fail("ours runs after %s", word)
					}
					if word != "unknown" && word != "refused" && word != "down" && word != "crashed" {
						quiet = now
					}
				}
			}
			switch change {
			case Taken:
				if bad < p.Failures && word != "take" {
					fail("a takeover after %d bad looks", bad)
				}
			case Failback:
				if good < p.Recoveries {
					fail("given back after %d good looks", good)
				}
			case Yielded:
				yielded = now
			case Again:
				if before == Yielding && now.Sub(yielded) < firstPause {
					for len(fast) > 0 && now.Sub(fast[0]) >= within {
						fast = fast[1:]
					}
					if fast = append(fast, now); len(fast) > free {
						fail("ours started again %d times without a pause", len(fast))
					}
				}
			}
			since := yielded
			if quiet.After(since) {
				since = quiet
			}
			if s.Phase == Yielding && now.Sub(since) > 2*Yield+longestPause+20*time.Second {
				fail("it yields since %s", now.Sub(since))
			}
		}
	}
}

package proc

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// tree is everything that one leader has started, or one engine.
type tree struct {
	engine string // set for what a dead engine left; then there is no leader
	bare   bool   // that engine may have started processes without any tag

	pid   int
	start uint64 // 0: not asked yet
	tag   uint64
	token string

	// ours is set while the leader is an unreaped child of this process: its
	// pid cannot be given to another, so its group and session are its own.
	ours bool
	// self is our pid when orphans come home to us; what does not descend
	// from it is then none of the tree's. 0: anyone's.
	self int
}

// identify finds out when the leader started, which tells it from all others of
// its pid. It is asked late, and for most steps never: that costs a fifth of
// what a start costs us. The leader must be unreaped.
func (t *tree) identify() error {
	if t.start != 0 || t.engine != "" {
		return nil
	}
	s, err := readStat(t.pid)
	t.start = s.start
	return err
}

// belongs reports whether a process carries a mark of the tree. Lineage is not
// asked here.
func (t *tree) belongs(s stat) bool {
	if t.engine != "" {
		return t.remains(s)
	}
	if s.pid == t.pid {
		return s.start == t.start
	}
	if s.start < t.start {
		return false
	}
	if t.ours && (s.pgrp == t.pid || s.session == t.pid) {
		return true
	}
	tag, err := readTag(s.pid)
	if err != nil {
		return false
	}
	return tag == t.tag || hasToken(s.pid, t.token)
}

// remains reports whether a process carries a mark of a dead engine.
//
// The token alone does not say so: a daemon of somebody else may start what it
// is asked to with the environment of who asked (pm2 does). The tag is of that
// daemon then, and its engine, if any, is not named by the tokens.
func (t *tree) remains(s stat) bool {
	tag, err := readTag(s.pid)
	if err != nil {
		return false
	}
	if tag&^seqMask == t.tag {
		return true
	}
	if tag == 0 && !(t.bare && s.ppid == 1) {
		return false
	}
	named, tagger := false, tag == 0
	for _, token := range tokens(s.pid) {
		engine := engineOf(token)
		named = named || engine == t.engine
		tagger = tagger || engineTag(engine) == tag&^seqMask
	}
	return named && tagger
}

// spared are this process and those that it descends from: they are never
// ended, even when one of them was left by the dead engine.
func spared(byPid map[int]stat) map[int]bool {
	spared := map[int]bool{}
	for pid := os.Getpid(); pid > 0 && !spared[pid]; pid = byPid[pid].ppid {
		spared[pid] = true
	}
	return spared
}

// members finds the living processes of the tree and those that are dead and
// wait for us to reap them. The error says that it cannot be told.
func (t *tree) members() (living, orphans []stat, err error) {
	if err := t.identify(); err != nil {
		return nil, nil, err
	}
	all, err := allProcesses()
	if err != nil {
		return nil, nil, err
	}
	byPid := make(map[int]stat, len(all))
	for _, s := range all {
		byPid[s.pid] = s
	}
	in := make(map[int]bool, len(all))
	if t.engine != "" {
		for pid := range spared(byPid) {
			in[pid] = false
		}
	}
	for _, s := range all {
		switch {
		case !t.descends(s, byPid, in) || t.self != 0 && foreign(s, byPid, t.self):
		case !s.dead():
			living = append(living, s)
		case s.ppid == t.self && s.pid != t.pid:
			orphans = append(orphans, s)
		}
	}
	return living, orphans, nil
}

// descends reports whether s or one of its ancestors carries a mark of the
// tree; in keeps what was found out about each.
func (t *tree) descends(s stat, byPid map[int]stat, in map[int]bool) bool {
	var asked []int
	found := false
	for s.pid > 1 && s.start >= t.start && len(asked) <= len(byPid) {
		known, ok := in[s.pid]
		if !ok {
			asked = append(asked, s.pid)
			known = t.belongs(s)
		}
		if found = known; ok || known {
			break
		}
		if s, ok = byPid[s.ppid]; !ok {
			break
		}
	}
	for _, pid := range asked {
		in[pid] = found
	}
	return found
}

// foreign reports whether s surely does not descend from the process pid: a
// job that another daemon runs with a copied environment, say. Where a parent
// ended while we looked, nothing is sure.
func foreign(s stat, byPid map[int]stat, pid int) bool {
	for range len(byPid) {
		switch s.ppid {
		case pid:
			return false
		case 0:
			return true
		}
		parent, ok := byPid[s.ppid]
		if !ok {
			return false
		}
		s = parent
	}
	return false
}

// killRounds bounds how often a tree that keeps forking is swept; each round
// waits up to a second for what it has killed.
const killRounds = 10

// end asks every process of the tree to end, waits up to grace, and kills what
// is left. Grace 0 kills at once. The error says that they could not be looked
// for; the group of our own leader is killed all the same.
func (t *tree) end(signal unix.Signal, grace time.Duration) error {
	deadline := time.Now().Add(grace)
	asked := map[stat]bool{}
	quiet := 0 // looks in a row that found nothing
	for grace > 0 {
		living, orphans, err := t.members()
		if err != nil || len(living) == 0 {
			if err == nil && len(orphans) == 0 {
				quiet = 1
			}
			break // what failed here is told when it fails below
		}
		held := hold(living)
		if len(held) == 0 {
			break // out of file descriptors: the group can still be killed
		}
		for _, p := range held {
			if key := p.identity(); !asked[key] {
				asked[key] = true
				p.signal(signal)
				p.signal(unix.SIGCONT)
			}
		}
		ended := awaitAll(held, deadline)
		t.reap(held)
		if !ended {
			break
		}
	}
	for range killRounds {
		living, orphans, err := t.members()
		if err != nil {
			t.killGroup()
			return err
		}
		for _, s := range orphans {
			reapOrphan(s.pid)
		}
		if len(living) == 0 {
			// Twice: one may have been forked behind the back of the first
			// look, by one that ended before it was looked at.
			if quiet++; quiet == 2 {
				return nil
			}
			continue
		}
		quiet = 0
		t.killGroup()
		held := hold(living)
		for _, p := range held {
			p.signal(unix.SIGKILL)
		}
		awaitAll(held, time.Now().Add(time.Second))
		t.reap(held)
	}
	return nil
}

// killGroup kills the group at once, so that a fork in it cannot slip through.
func (t *tree) killGroup() {
	if t.ours {
		_ = unix.Kill(-t.pid, unix.SIGKILL)
	}
}

// reap takes the ends of members that came home to us. They were known while
// they lived; a dead one shows no token any more.
func (t *tree) reap(members []*handle) {
	for _, h := range members {
		if h.pid == t.pid || t.self == 0 {
			continue
		}
		if s, err := readStat(h.pid); err == nil && s.start == h.start && s.ppid == t.self && s.dead() {
			reapOrphan(h.pid)
		}
	}
}

// reapOrphan takes the end of a child that came to us from a step. Its pid
// cannot have been given to another: it is held until this call.
func reapOrphan(pid int) {
	for {
		_, err := unix.Wait4(pid, nil, unix.WNOHANG, nil)
		if !errors.Is(err, unix.EINTR) {
			return
		}
	}
}

// memory is what the tree uses. Pages that its processes share count once,
// though finding that out is left until the sum is over the limit.
func (t *tree) memory(limit int64) int64 {
	living, _, err := t.members()
	if err != nil {
		return 0 // the next look may tell
	}
	var sum int64
	for _, s := range living {
		sum += s.rss
	}
	if sum <= limit {
		return sum
	}
	sum = 0
	for _, s := range living {
		sum += s.pss()
	}
	return sum
}

// End ends what an engine of that name left running that was killed: SIGTERM,
// grace (0: 5 s), SIGKILL. What is not of that engine's is never touched, and
// neither are this process and those that it descends from. The error says that
// something may still run.
func (s *Spawner) End(engine string, grace time.Duration) error {
	if engine == "" {
		return errors.New("an engine without a name has left nothing")
	}
	if grace <= 0 {
		grace = defaultGrace
	}
	t := &tree{engine: engine, tag: engineTag(engine), bare: s.bare}
	err := t.end(unix.SIGTERM, grace)
	var living []stat
	if err == nil {
		living, _, err = t.members()
	}
	switch {
	case err != nil:
		return fmt.Errorf("processes of %s could not be looked for: %w", engine, err)
	case len(living) > 0:
		return errors.New("processes could not be ended: " + pidList(living) + ": end them by hand")
	}
	return nil
}

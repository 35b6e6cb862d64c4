package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/redundctl/redundctl/engine/store"
)

// quickly is what a question about a long history may take, in seconds.
const quickly = 0.1

// What a long history holds.
const (
	longRuns      = 1_000_000
	longPipelines = 200
	longDays      = 90
)

// longHistory asks a project with a million finished runs what people ask, as
// whole commands and over the API.
func (b *bench) longHistory() error {
	name := fmt.Sprintf("%d runs: ", longRuns)
	if !b.wants(name) || b.quick {
		return nil
	}
	project := filepath.Join(b.dir, "long")
	from := time.Now()
	if err := long(project); err != nil {
		return err
	}
	info, err := os.Stat(filepath.Join(project, ".redund", "redund.db"))
	if err != nil {
		return fmt.Errorf("measuring the history: %w", err)
	}
	fmt.Printf("%-46s %8.0fMB, made in %.0fs\n", name+"history", float64(info.Size())/1e6, time.Since(from).Seconds())
	engine := exec.Command(b.redundctl, "-C", project, "serve", "--log-level", "error")
	engine.Stderr = os.Stderr
	if err := engine.Start(); err != nil {
		return fmt.Errorf("starting the engine: %w", err)
	}
	defer func() {
		_ = engine.Process.Signal(os.Interrupt)
		_ = engine.Wait()
	}()
	client, err := b.reach(project)
	if err != nil {
		return err
	}
	for _, c := range []struct {
		name string
		argv []string
		path string // "": the engine has no such question
	}{
		{"runs", []string{"runs"}, "/api/v1/runs"},
		{"runs of a pipeline", []string{"runs", "pm2/p-0", "--since", "7d", "--state", "failed"}, "/api/v1/runs?name=pm2/p-0&since=7d&state=failed"},
		{"status", []string{"status"}, "/api/v1/status"},
		{"list", []string{"list"}, "/api/v1/list"},
		{"report --since 7d", []string{"report", "--since", "7d"}, ""},
	} {
		ours, _, err := pair(command{argv: append([]string{b.redundctl, "-C", project}, c.argv...)}, command{argv: []string{"/bin/true"}}, 20)
		if err != nil {
			return err
		}
		b.say(name+c.name, figure{ours.wall * 1000, quickly * 1000, 1, "ms"})
		if c.path == "" {
			continue
		}
		wall, err := answers(client, c.path, 20)
		if err != nil {
			return err
		}
		b.say(name+c.name+", API", figure{wall * 1000, quickly * 1000, 1, "ms"})
	}
	return nil
}

// reach gives a client of the engine of a project, once it answers.
func (b *bench) reach(project string) (*http.Client, error) {
	socket := filepath.Join(project, ".redund", "redund.sock")
	c := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}
	var err error
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if _, err = answers(c, "/api/v1/list", 1); err == nil {
			return c, nil
		}
	}
	return nil, fmt.Errorf("the engine does not answer: %w", err)
}

// answers gives the median of how long an answer takes, in seconds.
func answers(c *http.Client, path string, times int) (float64, error) {
	var all []float64
	for range times {
		from := time.Now()
		r, err := c.Get("http://redundctl" + path)
		if err != nil {
			return 0, err
		}
		var body bytes.Buffer
		_, err = body.ReadFrom(r.Body)
		r.Body.Close()
		if err != nil {
			return 0, err
		}
		if r.StatusCode != http.StatusOK {
			return 0, fmt.Errorf("%s: %s\n%s", path, r.Status, body.Bytes())
		}
		all = append(all, time.Since(from).Seconds())
	}
	slices.Sort(all)
	return all[len(all)/2], nil
}

// long writes a project whose state directory holds a long history, in the
// form that the store gives it.
func long(project string) error {
	system := func(i int) string { return []string{"pm2", "github-actions", "netlify-functions"}[i%3] }
	for i := range longPipelines {
		text := fmt.Sprintf("version: 1\nname: p-%d\nschedule: {cron: \"0 0 1 1 *\"}\nsteps:\n  - exec: [/bin/true]\n", i)
		if err := write(filepath.Join(project, "pipelines", system(i), fmt.Sprintf("p-%d.yaml", i)), text); err != nil {
			return err
		}
	}
	if err := write(filepath.Join(project, "redund.yaml"), "version: 1\nretention: {runs: 365d}\n"); err != nil {
		return err
	}
	ctx := context.Background()
	db, err := store.Open(ctx, store.Options{Dir: filepath.Join(project, ".redund")})
	if err != nil {
		return err
	}
	err = db.Write(ctx, fillLong)
	return errors.Join(err, db.Close())
}

// fillLong writes the rows, as a schedule that was kept for months would have.
func fillLong(tx *store.Tx) error {
	first := time.Now().Add(-longDays * 24 * time.Hour).UnixMicro()
	apart := int64(longDays*24*time.Hour/time.Microsecond) / longRuns
	const numbers = `WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i+1 FROM n WHERE i < ?1-1), ` +
		`run(i, system, name, at, state) AS (SELECT i, CASE i%?2%3 WHEN 0 THEN 'pm2' WHEN 1 THEN 'github-actions' ELSE 'netlify-functions' END, 'p-'||(i%?2), ?3+i*?4,
				CASE WHEN i%?2=7 THEN 'skipped' WHEN i%50=0 THEN 'failed' WHEN i%211=0 THEN 'timed-out' ELSE 'succeeded' END FROM n) `
	indexes, err := withoutIndexes(tx)
	if err != nil {
		return err
	}
	for _, s := range []string{
		`INSERT INTO definitions (hash, file, body, seen) SELECT 'hash-of-'||name, name||'.yaml', X'7b7d', at FROM run WHERE i < ?2`,
		`INSERT INTO runs (id, system, name, "trigger", slot, state, reason, attempt, fence, engine, hash, queued, started, finished, error, priority, due)
				SELECT i+1, system, name, iif(i%20=0, 'failover', 'schedule'), at, state, iif(state='skipped', 'missed', 'scheduled'), 1, 1, '1-abc', 'hash-of-'||name,
				at, at+5000, at+1000000, iif(state IN ('failed', 'timed-out'), 'step build: exit code 1', NULL), 1, at FROM run`,
		`INSERT INTO slots (system, name, slot, fence, run, decision, reason, decided, hash, planned)
				SELECT system, name, at, 1, i+1, 'run', 'scheduled', at, 'hash-of-'||name, 1 FROM run ORDER BY 1, 2, 3`,
		`INSERT INTO steps (run, idx, id, uses, state, attempts, exit_code, started, finished)
				SELECT i+1, 0, 'build', 'exec', iif(state='succeeded', state, 'failed'), 1, 0, at+6000, at+900000 FROM run WHERE state <> 'skipped'`,
		`INSERT INTO events (at, run, pipeline, what, detail)
				SELECT at, iif(i%40=0, i+1, NULL), system||'/'||name, iif(i%40=0, 'retry', 'late-primary'), 'what happened' FROM run WHERE i%20=0`,
	} {
		if _, err := tx.Exec(numbers+s, longRuns, longPipelines, first, apart); err != nil {
			return err
		}
	}
	for _, s := range indexes {
		if _, err := tx.Exec(s); err != nil {
			return err
		}
	}
	return nil
}

// withoutIndexes takes the indexes away, which fills the tables many times
// faster, and gives the statements that make them again.
func withoutIndexes(tx *store.Tx) (again []string, err error) {
	var names []string
	err = tx.Query("SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL", func(row store.Row) error {
		names, again = append(names, row.Text(0)), append(again, strings.Clone(row.Text(1)))
		return nil
	})
	for _, n := range names {
		if err == nil {
			_, err = tx.Exec("DROP INDEX " + n)
		}
	}
	return again, err
}

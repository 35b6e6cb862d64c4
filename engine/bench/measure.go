package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"
)

// command is one program with its arguments.
type command struct{ argv []string }

// figures are what one command took: seconds of wall and processor time, its
// children's included, and bytes of memory at the most.
type figures struct{ wall, cpu, rss float64 }

// pair runs two commands in turn, after one run of each that does not count,
// and gives the medians.
func pair(ours, limit command, times int) (figures, figures, error) {
	var a, b []figures
	for i := range times + 1 {
		x, err := ours.run()
		if err != nil {
			return figures{}, figures{}, err
		}
		y, err := limit.run()
		if err != nil {
			return figures{}, figures{}, err
		}
		if i > 0 {
			a, b = append(a, x), append(b, y)
		}
	}
	return median(a), median(b), nil
}

// run runs it once. The error says that it did not end well; what it took counts
// all the same.
func (c command) run() (figures, error) {
	cmd := exec.Command(c.argv[0], c.argv[1:]...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return figures{}, err
	}
	defer out.Close()
	cmd.Stdout = out
	start := time.Now()
	if err = cmd.Run(); err != nil {
		err = fmt.Errorf("%v: %w\n%s", c.argv, err, errs.Bytes())
	}
	if cmd.ProcessState == nil {
		return figures{}, err
	}
	wall := time.Since(start).Seconds()
	f := figures{wall: wall, cpu: (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()}
	if u, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		f.rss = float64(u.Maxrss) * 1024
	}
	return f, err
}

func median(list []figures) figures {
	pick := func(of func(figures) float64) float64 {
		var v []float64
		for _, f := range list {
			v = append(v, of(f))
		}
		slices.Sort(v)
		return v[len(v)/2]
	}
	return figures{
		wall: pick(func(f figures) float64 { return f.wall }),
		cpu:  pick(func(f figures) float64 { return f.cpu }),
		rss:  pick(func(f figures) float64 { return f.rss }),
	}
}

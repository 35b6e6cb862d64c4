package pipeline

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Duration is a length of time as the language writes it: Go's form plus `d`
// for days of 24 hours, always positive. The zero value prints as "0s".
type Duration time.Duration

// Std is d as the standard library knows it.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// String prints d as people write it and ParseDuration reads it: 15m, 1h30m.
func (d Duration) String() string {
	s := time.Duration(d).String()
	for _, none := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(s, none) {
			s = s[:len(s)-2]
		}
	}
	return s
}

// MarshalText prints d for JSON.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what ParseDuration reads.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := ParseDuration(string(b))
	if err != nil {
		return err
	}
	*d = v
	return nil
}

var errDuration = errors.New(`a duration is a number with a unit: 90s, 5m, 1h30m or 7d`)

// ParseDuration reads "90s", "1h30m" or "7d"; days come first and may be
// followed by smaller units. "0" and "0s" are zero; a sign is an error.
func ParseDuration(s string) (Duration, error) {
	if s == "0" {
		return 0, nil
	}
	if s == "" || s[0] == '-' || s[0] == '+' {
		return 0, errDuration
	}
	var days time.Duration
	rest := s
	if n, after, ok := strings.Cut(s, "d"); ok {
		v, err := strconv.ParseFloat(n, 64)
		if err != nil || strings.Trim(n, "0123456789.") != "" || v > 100*365 {
			return 0, errDuration
		}
		days, rest = time.Duration(v*24*float64(time.Hour)), after
		if rest == "" {
			return Duration(days), nil
		}
	}
	d, err := time.ParseDuration(rest)
	if err != nil || d < 0 || d+days < days {
		return 0, errDuration
	}
	return Duration(d + days), nil
}

// Size is a number of bytes, written as 512, 10KiB, 10MiB or 1GiB (and KB,
// MB, GB in powers of ten). The zero value means no limit where it is one.
type Size int64

var sizeUnits = []struct {
	suffix string
	bytes  int64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1}, {"", 1}}

var errSize = errors.New("a size is a number with a unit: 300MiB, 10KiB, 1GiB")

// ParseSize reads a size; the number may have a fraction.
func ParseSize(s string) (Size, error) {
	for _, u := range sizeUnits {
		n, ok := strings.CutSuffix(s, u.suffix)
		if !ok {
			continue
		}
		n = strings.TrimSpace(n)
		v, err := strconv.ParseFloat(n, 64)
		if err != nil || strings.Trim(n, "0123456789.") != "" || v*float64(u.bytes) > 1<<62 {
			return 0, errSize
		}
		return Size(v * float64(u.bytes)), nil
	}
	return 0, errSize
}

// UnmarshalText reads what ParseSize reads.
func (z *Size) UnmarshalText(b []byte) error {
	v, err := ParseSize(string(b))
	if err != nil {
		return err
	}
	*z = v
	return nil
}

// MarshalText prints z in the largest unit that keeps it whole.
func (z Size) MarshalText() ([]byte, error) { return []byte(z.String()), nil }

// String prints z in the largest binary unit that keeps it whole.
func (z Size) String() string {
	for _, u := range []string{"TiB", "GiB", "MiB", "KiB"} {
		for _, k := range sizeUnits {
			if k.suffix == u && int64(z) >= k.bytes && int64(z)%k.bytes == 0 {
				return fmt.Sprintf("%d%s", int64(z)/k.bytes, u)
			}
		}
	}
	return fmt.Sprintf("%dB", int64(z))
}

// Grace is how long after its slot a primary may still deliver: a duration, or
// Auto, which is learned. The zero value is "not written": the default of the
// primary's kind.
type Grace struct {
	Auto bool
	For  Duration
}

// UnmarshalText reads a duration or the word auto.
func (g *Grace) UnmarshalText(b []byte) error {
	if string(b) == "auto" {
		*g = Grace{Auto: true}
		return nil
	}
	d, err := ParseDuration(string(b))
	*g = Grace{For: d}
	return err
}

// MarshalText prints g as it is written in a file.
func (g Grace) MarshalText() ([]byte, error) {
	if g.Auto {
		return []byte("auto"), nil
	}
	return g.For.MarshalText()
}

// Time is the form in which an instant is shown and passed on: RFC 3339 in
// UTC with a Z, and as many digits of the second as it has, microseconds at
// most. The zero time prints as "".
func Time(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Truncate(time.Microsecond).Format(time.RFC3339Nano)
}

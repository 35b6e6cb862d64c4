package store

import "time"

// Micros is how a time is stored: microseconds since 1970, null for none.
func Micros(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UnixMicro()
}

// Time is a time as it was stored; 0 is none.
func Time(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(n).UTC()
}

// Present is the time as it can be stored.
func Present() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// OrNull stores the zero value as nothing.
func OrNull[T comparable](v T) any {
	var zero T
	if v == zero {
		return nil
	}
	return v
}

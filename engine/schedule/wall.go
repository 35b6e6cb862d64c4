package schedule

import "math/bits"

const day = 86400

// A wall-clock time is counted in seconds, as if it were one of UTC: it has no
// gaps and no folds, so the search below knows nothing of zones.

// next is the first matching wall-clock time in [from, to); false when there
// is none.
func (c *cron) next(from, to int64) (int64, bool) {
	d := floor(from, day)
	rest := from - d*day
	y, m, dom := civil(d)
	for d*day < to {
		// What is left of this month, as bits.
		left := c.days[weekday(d-int64(dom)+1)] & (1<<(length(y, m)+1) - 1) >> dom << dom
		if c.month>>m&1 == 0 {
			left = 0
		}
		for left != 0 {
			n := bits.TrailingZeros32(left)
			if n != dom {
				d, dom, rest = d+int64(n-dom), n, 0
			}
			if t, ok := c.inDay(rest); ok {
				t += d * day
				return t, t < to
			}
			left &^= 1 << n
		}
		d, dom, rest = d+int64(length(y, m)-dom+1), 1, 0
		if m++; m > 12 {
			y, m = y+1, 1
		}
	}
	return 0, false
}

// inDay is the first matching second of a day at or after s.
func (c *cron) inDay(s int64) (int64, bool) {
	h, m, sec := uint(s/3600), uint(s/60%60), uint(s%60)
	if c.hour>>h&1 == 1 {
		if c.minute>>m&1 == 1 {
			if b := c.second >> sec << sec; b != 0 {
				return int64(h)*3600 + int64(m)*60 + int64(bits.TrailingZeros64(b)), true
			}
		}
		if b := c.minute >> (m + 1) << (m + 1); b != 0 {
			return int64(h)*3600 + int64(bits.TrailingZeros64(b))*60 + int64(bits.TrailingZeros64(c.second)), true
		}
	}
	if b := c.hour >> (h + 1) << (h + 1); b != 0 {
		return int64(bits.TrailingZeros64(b))*3600 + int64(bits.TrailingZeros64(c.minute))*60 + int64(bits.TrailingZeros64(c.second)), true
	}
	return 0, false
}

// count is how many matching wall-clock times there are in [from, to).
func (c *cron) count(from, to int64) int {
	if from >= to {
		return 0
	}
	d, last := floor(from, day), floor(to-1, day)
	first, end := c.match(d), c.match(last)
	n := 0
	if first {
		n -= c.before(from - d*day)
	}
	if end {
		n -= c.before(day) - c.before(to-last*day)
	}
	days := 0
	y, m, dom := civil(d)
	for d <= last {
		size := length(y, m)
		if c.month>>m&1 == 1 {
			left := c.days[weekday(d-int64(dom)+1)] & (1<<(size+1) - 1) >> dom << dom
			if over := d + int64(size-dom) - last; over > 0 {
				left &= 1<<(size+1-int(over)) - 1
			}
			days += bits.OnesCount32(left)
		}
		d, dom = d+int64(size-dom+1), 1
		if m++; m > 12 {
			y, m = y+1, 1
		}
	}
	return n + days*c.before(day)
}

// match reports whether a day matches.
func (c *cron) match(d int64) bool {
	_, m, dom := civil(d)
	return c.month>>m&1 == 1 && c.days[weekday(d-int64(dom)+1)]>>dom&1 == 1
}

// before is how many matching seconds of a day are less than s.
func (c *cron) before(s int64) int {
	h, m, sec := uint(s/3600), uint(s/60%60), uint(s%60)
	minutes, seconds := bits.OnesCount64(c.minute), bits.OnesCount64(c.second)
	n := bits.OnesCount64(c.hour&(1<<h-1)) * minutes * seconds
	if c.hour>>h&1 == 1 {
		n += bits.OnesCount64(c.minute&(1<<m-1)) * seconds
		if c.minute>>m&1 == 1 {
			n += bits.OnesCount64(c.second & (1<<sec - 1))
		}
	}
	return n
}

// weekday is that of a day, 0 for Sunday; day 0 was a Thursday.
func weekday(d int64) int { return int(((d+4)%7 + 7) % 7) }

// floor divides, and rounds down.
func floor(a, b int64) int64 {
	if a%b < 0 {
		return a/b - 1
	}
	return a / b
}

// civil is the date of a day counted from 1970-01-01, in the Gregorian
// calendar of any year: the days are counted in eras of 400 years that begin
// on the first of March, where the leap day is the last.
func civil(d int64) (year, month, dom int) {
	d += 719468
	era := d / 146097
	if d < 0 {
		era = (d - 146096) / 146097
	}
	doe := d - era*146097
	yoe := (doe - doe/1460 + doe/36524 - doe/146096) / 365
	doy := doe - (365*yoe + yoe/4 - yoe/100)
	mp := (5*doy + 2) / 153
	month = int(mp) + 3
	if month > 12 {
		month -= 12
	}
	year = int(yoe + era*400)
	if month <= 2 {
		year++
	}
	return year, month, int(doy-(153*mp+2)/5) + 1
}

// longest is how many days a month has at most.
func longest(m int) int { return length(2000, m) }

func length(y, m int) int {
	switch m {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if y%4 == 0 && (y%100 != 0 || y%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

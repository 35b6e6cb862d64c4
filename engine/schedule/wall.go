package schedule

import "math/bits"

const day = 86400

// A wall-clock time is counted in seconds, as if it were one of UTC: it has no
// gaps and no folds, so the search below knows nothing of zones.

// next is the first matching wall-clock time in [from, to); false when there
// is none.
func (c *cron) next(from, to int64) (int64, bool) {
	d, rest := from/day, from%day
	if rest < 0 {
		d, rest = d-1, rest+day
	}
	y, m, dom := civil(d)
	for d*day < to {
		// What is left of this month, as bits.
		first := int(((d-int64(dom)+5)%7 + 7) % 7) // weekday of the 1st; day 0 was a Thursday
		left := c.days[first] & (1<<(length(y, m)+1) - 1) >> dom << dom
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

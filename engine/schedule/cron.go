package schedule

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/adhocore/gronx"
)

// cron is a compiled expression: one bit for each value that a field allows.
type cron struct {
	second, minute, hour, month uint64
	// days are the days of a month that match when its first day is a Sunday,
	// a Monday, and so on: day of month and day of week are one question.
	days [7]uint32
	// everyHour is set by a star as the hour: such a schedule follows real
	// hours through a change of the clock.
	everyHour bool
}

// field is one of the six fields of an expression.
type field struct {
	name     string
	min, max int
	names    string // of three letters each, in order from min; "" for none
}

// one is the field's name with its article.
func (f field) one() string {
	if f.name == "hour" {
		return "an hour"
	}
	return "a " + f.name
}

const (
	monthNames   = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC"
	weekdayNames = "SUN MON TUE WED THU FRI SAT"
)

// fieldAt describes the fields in their order, seconds first.
func fieldAt(i int) field {
	return [...]field{
		{"second", 0, 59, ""}, {"minute", 0, 59, ""}, {"hour", 0, 23, ""},
		{"day of month", 1, 31, ""}, {"month", 1, 12, monthNames}, {"day of week", 0, 7, weekdayNames},
	}[i]
}

// word is a piece of the expression and the byte where it begins.
type word struct {
	text string
	at   int
}

func (w word) wrong(rule, hint, format string, args ...any) *Error {
	return &Error{Field: "cron", Offset: w.at, Width: max(len(w.text), 1), Rule: rule, Message: fmt.Sprintf(format, args...), Hint: hint}
}

// parseCron reads five fields, six with seconds first, or a word like @daily.
// gronx knows the words and turns the names of months and weekdays into
// numbers; what it lets pass beyond our grammar (years, stars inside lists,
// L, W, #, values out of range) is refused here, with its place.
func parseCron(s string) (cron, error) {
	words := split(s, " \t\r\n")
	if len(words) == 0 {
		return cron{}, word{s, 0}.wrong(RuleSyntax, fiveFields, "the cron expression is empty")
	}
	if err := foreign(s, words); err != nil {
		return cron{}, err
	}
	if strings.HasPrefix(words[0].text, "@") {
		return tag(words)
	}
	if err := count(words); err != nil {
		return cron{}, err
	}
	plain := make([]string, len(words))
	for i, w := range words {
		plain[i] = w.text
	}
	numbers, err := segments(plain)
	if err != nil {
		return cron{}, words[0].wrong(RuleSyntax, fiveFields, "this is not a cron expression")
	}
	if len(words) == 5 {
		words = append([]word{{"0", 0}}, words...)
	}
	var sets [6]uint64
	for i, w := range words {
		n, wrong := set(fieldAt(i), w, numbers[i])
		if sets[i] = n; wrong != nil {
			err = join(err, wrong)
		}
	}
	if err != nil {
		return cron{}, err
	}
	return compile(sets, words)
}

// segments is gronx's reading of the fields. Its texts are those given but for
// names, so that it need not be asked about numbers.
func segments(fields []string) ([]string, error) {
	s := strings.Join(fields, " ")
	if strings.Trim(s, "0123456789*/,-? ") != "" {
		return gronx.Segments(s)
	}
	if len(fields) == 5 {
		fields = append([]string{"0"}, fields...)
	}
	return fields, nil
}

const fiveFields = "write five fields: minute hour day-of-month month day-of-week; or six, with seconds first"

// foreign refuses what other crons know and this one does not.
func foreign(s string, words []word) error {
	first := words[0]
	all := word{strings.TrimSpace(s), first.at}
	lower := strings.ToLower(first.text)
	switch {
	case lower == "@every":
		return all.wrong(RuleSyntax, "write the key `every: 5m` in place of cron", "@every is not a cron expression")
	case lower == "@reboot":
		return all.wrong(RuleSyntax, "what should always run is a `service`", "@reboot names no time")
	case strings.HasPrefix(lower, "tz="), strings.HasPrefix(lower, "cron_tz="):
		return first.wrong(RuleSyntax, "write the key `timezone` beside cron", "a time zone is not part of the cron expression")
	case strings.HasPrefix(lower, "@") && len(words) > 1:
		return words[1].wrong(RuleSyntax, "", "nothing may follow %s", first.text)
	}
	return nil
}

// tag reads @daily and the like.
func tag(words []word) (cron, error) {
	name := words[0].text
	if strings.EqualFold(name, "@midnight") {
		name = "@daily" // cron has both names, gronx one
	}
	numbers, err := gronx.Segments(name)
	if err != nil || len(numbers) != 6 {
		return cron{}, words[0].wrong(RuleSyntax, "known are @yearly @annually @monthly @weekly @daily @midnight @hourly @always and @5minutes to @30minutes", "%s is not known", words[0].text)
	}
	var sets [6]uint64
	fields := make([]word, 6)
	for i, n := range numbers {
		fields[i] = word{n, 0}
		if sets[i], err = set(fieldAt(i), fields[i], n); err != nil {
			return cron{}, err
		}
	}
	return compile(sets, fields)
}

func count(words []word) error {
	switch n := len(words); {
	case n == 7 || n == 6 && year(words[5].text):
		return words[n-1].wrong(RuleSyntax, "leave the field out; a schedule comes back every year", "years are not supported")
	case n < 5:
		return words[n-1].wrong(RuleSyntax, fiveFields, "a cron expression has five fields, this one has %d", n)
	case n > 6:
		return words[6].wrong(RuleSyntax, fiveFields, "a cron expression has five fields, this one has %d", n)
	}
	return nil
}

// year reports whether a field holds a number of four digits.
func year(s string) bool {
	run := 0
	for _, c := range s {
		if run++; c < '0' || c > '9' {
			run = 0
		}
		if run == 4 {
			return true
		}
	}
	return false
}

// set reads one field: parts between commas. numbers is the same text with
// its names turned into numbers.
func set(f field, w word, numbers string) (uint64, error) {
	parts, plain := cut(w, ","), strings.Split(numbers, ",")
	var out uint64
	for i, p := range parts {
		if len(parts) > 1 && strings.ContainsAny(p.text, "*?") {
			return 0, p.wrong(RuleSyntax, "write the star alone, or the values one by one", "a star cannot stand inside a list")
		}
		if len(plain) != len(parts) {
			return 0, p.wrong(RuleSyntax, "", "%q is not %s", p.text, f.one())
		}
		bits, err := f.part(p, plain[i])
		if err != nil {
			return 0, err
		}
		out |= bits
	}
	return out, nil
}

// part reads one of `*`, `n`, `a-b`, and these with `/step`.
func (f field) part(w word, numbers string) (uint64, error) {
	if hint := special(w.text, f); hint != "" {
		return 0, w.wrong(RuleSyntax, hint, "%q is not supported", w.text)
	}
	steps, plain := cut(w, "/"), strings.Split(numbers, "/")
	if len(steps) > 2 || len(plain) != len(steps) {
		return 0, w.wrong(RuleSyntax, "", "%q has more than one step", w.text)
	}
	low, high, step := f.min, f.max, 1
	if f.max == 7 {
		high = 6 // a star names Sunday once
	}
	if len(steps) == 2 {
		n, err := f.step(steps[1])
		if err != nil {
			return 0, err
		}
		step = n
	}
	switch body := steps[0]; {
	case body.text == "*", body.text == "?" && len(steps) == 1:
	case body.text == "?":
		return 0, w.wrong(RuleSyntax, "write */"+steps[1].text, "? takes no step")
	default:
		a, b, err := f.span(body, plain[0], len(steps) == 2)
		if err != nil {
			return 0, err
		}
		low, high = a, b
	}
	var out uint64
	for i := low; i <= high; i += step {
		out |= 1 << i
	}
	if f.max == 7 && out&(1<<7) != 0 {
		out = out&^(1<<7) | 1
	}
	return out, nil
}

// step reads what follows a slash.
func (f field) step(w word) (int, error) {
	n, ok := digits(w.text)
	size := f.max - f.min + 1
	if f.max == 7 {
		size = 7
	}
	switch {
	case !ok:
		return 0, w.wrong(RuleSyntax, "a step is a number, as in */5", "%q is not a step", w.text)
	case n < 1 || n > size:
		return 0, w.wrong(RuleRange, fmt.Sprintf("a step of the %s is 1 to %d; for other distances write the key `every`", f.name, size), "the step %d is out of range", n)
	}
	return n, nil
}

// span reads `n` and `a-b`; with a step behind it, `n` goes to the end.
func (f field) span(w word, numbers string, stepped bool) (low, high int, err error) {
	ends, plain := cut(w, "-"), strings.Split(numbers, "-")
	if len(ends) > 2 || len(plain) != len(ends) {
		return 0, 0, w.wrong(RuleSyntax, "", "%q has more than one range", w.text)
	}
	if low, err = f.value(ends[0], plain[0]); err != nil {
		return 0, 0, err
	}
	high = low
	switch {
	case len(ends) == 2:
		if high, err = f.value(ends[1], plain[1]); err != nil {
			return 0, 0, err
		}
	case stepped && f.max == 7:
		high = 6
	case stepped:
		high = f.max
	}
	if f.max == 7 && low == 7 && high < 7 {
		low = 0 // 7 is Sunday too: 7-2 is Sunday to Tuesday
	}
	if high < low {
		last := f.max
		if last == 7 {
			last = 6
		}
		return 0, 0, w.wrong(RuleRange, fmt.Sprintf("a range goes upwards; write two, as %s-%d,%d-%s", ends[0].text, last, f.min, ends[1].text), "the range %s ends before it begins", w.text)
	}
	return low, high, nil
}

// value reads one number or name.
func (f field) value(w word, number string) (int, error) {
	name := strings.ToUpper(w.text)
	if f.names != "" && len(name) == 3 && strings.Contains(f.names, name) && !strings.Contains(name, " ") {
		n, err := strconv.Atoi(number)
		if err != nil {
			return 0, w.wrong(RuleSyntax, "", "%q is not %s", w.text, f.one())
		}
		return n, nil
	}
	n, ok := digits(w.text)
	if !ok {
		return 0, w.wrong(RuleSyntax, f.spelling(name), "%q is not %s", w.text, f.one())
	}
	if n < f.min || n > f.max {
		return 0, w.wrong(RuleRange, fmt.Sprintf("%s is %d to %d", f.one(), f.min, f.max), "the %s %s is out of range", f.name, w.text)
	}
	return n, nil
}

// spelling helps with a name that is written out, or stands in another field.
func (f field) spelling(name string) string {
	switch {
	case name == "":
		return "a value is missing"
	case f.names == "" && len(name) >= 3 && strings.Contains(monthNames+" "+weekdayNames, name[:3]):
		return "names stand in the fields month (fourth of five) and day-of-week (fifth)"
	case f.names == "":
		return ""
	case len(name) > 3 && strings.Contains(f.names, name[:3]):
		return "names have three letters: " + name[:3]
	}
	return "write a number, or one of " + f.names
}

// special knows what Quartz and others have beyond cron.
func special(s string, f field) string {
	upper := strings.ToUpper(s)
	switch {
	case strings.Contains(s, "#"):
		return "for the second Friday, run every Friday and ask for the day in an `if`"
	case upper == "L", upper == "LW", strings.HasPrefix(upper, "L-"), f.names == "" && strings.HasSuffix(upper, "W"),
		len(upper) == 2 && upper[1] == 'L':
		return "write numbers; for the last day of a month, run on 28-31 and ask for the day in an `if`"
	}
	return ""
}

// compile joins the fields and refuses a day that no month has.
func compile(sets [6]uint64, words []word) (cron, error) {
	c := cron{second: sets[0], minute: sets[1], hour: sets[2], month: sets[4]}
	hour := words[2].text
	c.everyHour = hour == "*" || hour == "?" || hour == "*/1"
	dom, dow := words[3], words[5]
	both := strings.ContainsAny(dom.text[:1]+dow.text[:1], "*?")
	for first := range 7 {
		for day := 1; day <= 31; day++ {
			d, w := sets[3]>>day&1 == 1, sets[5]>>((first+day-1)%7)&1 == 1
			if both && d && w || !both && (d || w) {
				c.days[first] |= 1 << day
			}
		}
	}
	if both {
		for m := 1; m <= 12; m++ {
			if c.month>>m&1 == 1 && sets[3]<<(63-longest(m)) != 0 {
				return c, nil
			}
		}
		wide := word{text: dom.text, at: dom.at}
		if end := words[4].at + len(words[4].text); end > dom.at {
			wide.text = strings.Repeat(" ", end-dom.at)
		}
		return c, wide.wrong(RuleNever, "", "no month of this schedule has that day, so it never fires")
	}
	return c, nil
}

// digits reads a number of at most four digits.
func digits(s string) (int, bool) {
	if s == "" || len(s) > 4 || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	return n, err == nil
}

// split cuts s at any of the bytes of sep and leaves empty pieces out.
func split(s, sep string) []word {
	var out []word
	for i := 0; i < len(s); {
		if strings.IndexByte(sep, s[i]) >= 0 {
			i++
			continue
		}
		end := strings.IndexAny(s[i:], sep)
		if end < 0 {
			end = len(s) - i
		}
		out = append(out, word{s[i : i+end], i})
		i += end
	}
	return out
}

// cut cuts w at every sep and keeps empty pieces.
func cut(w word, sep string) []word {
	var out []word
	at := w.at
	for _, p := range strings.Split(w.text, sep) {
		out = append(out, word{p, at})
		at += len(p) + len(sep)
	}
	return out
}

package logs

// copies finds what two logs hold: what an engine says of a system stands in the
// log of the system as well, and who reads all of them wants it once. It is for
// one reader.
type copies struct {
	seen, before map[key]string // the name of the log that had it
}

type key struct {
	at   int64
	text string
}

// remembered is how many lines are kept at least; copies lie side by side.
const remembered = 1000

// twice reports whether a line is a copy of one that came before.
func (c *copies) twice(l Line) bool {
	if l.Run != 0 {
		return false
	}
	k := key{l.At.UnixNano(), l.Text}
	name, ok := c.seen[k]
	if !ok {
		name, ok = c.before[k]
	}
	if ok {
		return name != l.Name && (name == "engine" || l.Name == "engine")
	}
	if c.seen == nil || len(c.seen) >= remembered {
		c.seen, c.before = map[key]string{}, c.seen
	}
	c.seen[k] = l.Name
	return false
}

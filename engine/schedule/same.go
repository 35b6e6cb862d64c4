package schedule

import "time"

// Same reports whether two schedules have the same slots, whatever they are
// written as: @hourly and 0 * * * *, SUN and 0, every 15m and */15 * * * *. What
// they do where clocks change does not count, and neither does jitter.
func (s *Schedule) Same(o *Schedule) bool {
	switch {
	case s.every > 0 && o.every > 0:
		return s.every == o.every
	case s.every > 0:
		return o.follows(s.every)
	case o.every > 0:
		return s.follows(o.every)
	}
	a, b := s.cron, o.cron
	a.everyHour, b.everyHour = false, false
	return a == b && zoneName(s.zone.loc) == zoneName(o.zone.loc)
}

// follows reports whether a cron expression has the slots of an interval: it
// must divide the day, or in a zone with an offset of its own the hour.
func (s *Schedule) follows(every time.Duration) bool {
	const day = 24 * time.Hour
	if day%every != 0 || every < time.Second || zoneName(s.zone.loc) != "UTC" && time.Hour%every != 0 {
		return false
	}
	at := time.Unix(0, 0).UTC() // the epoch is a slot of each interval
	// Two days show what an expression does each day; the months and the days of
	// the week it shows itself.
	if full := (cron{month: s.cron.month, days: s.cron.days}); full != s.daily() {
		return false
	}
	for end := at.Add(2 * day); at.Before(end); at = at.Add(every) {
		if next, ok := s.Next(at); !ok || !next.Equal(at.Add(every)) {
			return false
		}
	}
	return true
}

// daily are the months and days of an expression that is due on each of them.
func (s *Schedule) daily() cron {
	c, err := parseCron("* * * * *")
	if err != nil {
		return cron{}
	}
	return cron{month: c.month, days: c.days}
}

// zoneName is a zone by one of its names: UTC has many.
func zoneName(loc *time.Location) string {
	switch name := loc.String(); name {
	case "", "Etc/UTC", "Etc/GMT", "Etc/UCT", "Etc/Universal", "Etc/Zulu", "Etc/Greenwich", "Etc/GMT0", "Etc/GMT+0", "Etc/GMT-0", "GMT", "GMT0", "GMT+0", "GMT-0", "UCT", "Universal", "Zulu", "Greenwich":
		return "UTC"
	default:
		return name
	}
}

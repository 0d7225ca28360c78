package caseforms

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Holiday is a day in England and Wales on which offices are shut.
type Holiday struct {
	On   Date
	Name string
}

// Calendar tells working days in England and Wales: Monday to Friday without bank holidays. It goes by the published days as far as they
// reach, and beyond them by the rule they follow, which knows no one-off days; what was counted so says it.
type Calendar struct {
	days    map[Date]string
	through int // the last year of which the days were published
	first   int // the first
}

// NewCalendar is a calendar of published bank holidays and further days on which offices are shut, such as those an area adds.
func NewCalendar(published, further []Holiday) *Calendar {
	c := &Calendar{days: map[Date]string{}}
	for _, h := range published {
		c.days[h.On] = h.Name
		if c.first == 0 || h.On.Year < c.first {
			c.first = h.On.Year
		}
		c.through = max(c.through, h.On.Year)
	}
	for _, h := range further {
		c.days[h.On] = h.Name
	}
	return c
}

// Through is the last year of which the bank holidays were published when the program was made.
func (c *Calendar) Through() int { return c.through }

// Holiday is the name of the bank holiday on a day, "" when there is none. published is false when it follows from the rule alone.
func (c *Calendar) Holiday(d Date) (name string, published bool) {
	if name, ok := c.days[d]; ok {
		return name, true
	}
	if d.Year >= c.first && d.Year <= c.through {
		return "", true
	}
	return ruleHoliday(d), false
}

// WorkingDay tells whether offices are open on a day.
func (c *Calendar) WorkingDay(d Date) bool {
	name, _ := c.Holiday(d)
	return name == "" && !weekend(d)
}

func weekend(d Date) bool {
	w := d.Weekday()
	return w == time.Saturday || w == time.Sunday
}

// Weekday is the day of the week.
func (d Date) Weekday() time.Weekday { return d.time().Weekday() }

func (d Date) time() time.Time {
	return time.Date(d.Year, time.Month(d.Month), d.Day, 0, 0, 0, 0, time.UTC)
}

// Long is the day as it is told in sentences: "Wednesday 25 November 2026".
func (d Date) Long() string { return d.time().Format("Monday 2 January 2006") }

// DaysUntil is the number of days from d to e, negative when e is earlier.
func (d Date) DaysUntil(e Date) int { return int(e.time().Sub(d.time()) / (24 * time.Hour)) }

// ruleHoliday are the bank holidays of England and Wales as the rule has them (Banking and Financial Dealings Act 1971, Schedule 1, and the
// days proclaimed every year), without one-off days.
func ruleHoliday(d Date) string {
	wd := d.Weekday()
	is := func(month, day int) bool { return d.Month == month && d.Day == day }
	easter := easterSunday(d.Year)
	switch {
	case is(1, 1) && !weekend(d), wd == time.Monday && (is(1, 2) || is(1, 3)):
		return "New Year’s Day"
	case d == easter.AddDays(-2):
		return "Good Friday"
	case d == easter.AddDays(1):
		return "Easter Monday"
	case wd == time.Monday && d.Month == 5 && d.Day <= 7:
		return "Early May bank holiday"
	case wd == time.Monday && d.Month == 5 && d.Day > 24:
		return "Spring bank holiday"
	case wd == time.Monday && d.Month == 8 && d.Day > 24:
		return "Summer bank holiday"
	case is(12, 25) && !weekend(d), is(12, 27) && (wd == time.Monday || wd == time.Tuesday) && weekendChristmas(d.Year):
		return "Christmas Day"
	case is(12, 26) && !weekend(d), is(12, 28) && (wd == time.Monday || wd == time.Tuesday):
		return "Boxing Day"
	}
	return ""
}

// weekendChristmas tells whether Christmas Day falls on a Saturday or Sunday, so that the 27th stands for it.
func weekendChristmas(year int) bool { return weekend(Date{year, 12, 25}) }

// easterSunday is by the algorithm of Meeus and Jones.
func easterSunday(year int) Date {
	a, b, c := year%19, year/100, year%100
	d, e := b/4, b%4
	g := (b - (b+8)/25 + 1) / 3
	h := (19*a + b - d - g + 15) % 30
	i, k := c/4, c%4
	l := (32 + 2*e + 2*i - h - k) % 7
	m := (a + 11*h + 22*l) / 451
	n := h + l - 7*m + 114
	return Date{year, n / 31, n%31 + 1}
}

// Deadline is a day by which something must be done, and how it came to be that day, in words that are shown to people.
type Deadline struct {
	On    Date
	How   string
	Guess bool // it was counted over a year whose bank holidays were not published
}

// counting remembers what was passed over while days were counted.
type counting struct {
	c       *Calendar
	skipped []string
	guess   bool
}

// open tells whether a day counts, and remembers a bank holiday that does not.
func (n *counting) open(d Date) bool {
	name, published := n.c.Holiday(d)
	n.guess = n.guess || !published
	if name == "" {
		return !weekend(d)
	}
	if !weekend(d) {
		n.skipped = append(n.skipped, fmt.Sprintf("%s on %s", name, d.time().Format("2 January")))
	}
	return false
}

// deadline puts the words together.
func (n *counting) deadline(on Date, how string) Deadline {
	if len(n.skipped) > 0 {
		how += "; not counting " + strings.Join(n.skipped, " and ")
	}
	if n.guess {
		how += fmt.Sprintf("; bank holidays after %d are not published yet, so look at it again", n.c.through)
	}
	return Deadline{On: on, How: how, Guess: n.guess}
}

func count(n int, one, many string) string {
	words := []string{"no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"}
	s := fmt.Sprint(n)
	if n < len(words) {
		s = words[n]
	}
	if n == 1 {
		return s + " " + one
	}
	return s + " " + many
}

// Within is the n-th working day after a day: "within three working days". The day itself does not count, and the deadline is open until the
// end of its day (D.8). Within 0 is the day itself, whatever day it is.
func (c *Calendar) Within(from Date, n int) Deadline {
	k := &counting{c: c}
	on := from
	for left := n; left > 0; {
		on = on.AddDays(1)
		if k.open(on) {
			left--
		}
	}
	if n == 0 {
		return k.deadline(on, "the same day, "+from.Long())
	}
	return k.deadline(on, fmt.Sprintf("within %s of %s", count(n, "working day", "working days"), from.Long()))
}

// WorkingDaysBefore is the n-th working day before a day: "three working days before the conference".
func (c *Calendar) WorkingDaysBefore(day Date, n int) Deadline {
	k := &counting{c: c}
	on := day
	for left := n; left > 0; {
		on = on.AddDays(-1)
		if k.open(on) {
			left--
		}
	}
	slices.Reverse(k.skipped) // they were met from the last to the first
	return k.deadline(on, fmt.Sprintf("%s before %s", count(n, "working day", "working days"), day.Long()))
}

// NoLaterThan is a day, or the last working day before it when offices are shut on it: what is due then has to be done while they are open.
func (c *Calendar) NoLaterThan(day Date) Deadline {
	return c.back(day, "no later than "+day.Long())
}

// back goes to the last working day that is not after a day.
func (c *Calendar) back(day Date, how string) Deadline {
	on := day
	k := &counting{c: c}
	for !k.open(on) {
		on = on.AddDays(-1)
	}
	k.skipped = nil
	if on != day {
		why := "a " + day.Weekday().String()
		if name, _ := c.Holiday(day); name != "" {
			why = name
		}
		how += fmt.Sprintf("; %s is %s, so %s", day.time().Format("2 January"), why, on.Long())
	}
	return k.deadline(on, how)
}

// AtLeastDaysBefore is at least so many days before a day, weekends included: "at least six weeks before release" is 42 days. When offices
// are shut on that day it is the last working day before it (D.8).
func (c *Calendar) AtLeastDaysBefore(day Date, days int) Deadline {
	span := count(days, "day", "days")
	if days%7 == 0 && days > 7 {
		span = count(days/7, "week", "weeks")
	}
	return c.back(day.AddDays(-days), fmt.Sprintf("at least %s before %s, which is %s", span, day.Long(), day.AddDays(-days).Long()))
}

// AtLeastMonthsBefore is at least so many calendar months before a day; a month without that day has its last instead.
func (c *Calendar) AtLeastMonthsBefore(day Date, months int) Deadline {
	on := day.AddMonths(-months)
	return c.back(on, fmt.Sprintf("at least %s before %s, which is %s%s", count(months, "month", "months"), day.Long(), on.Long(), clamped(day, on)))
}

// WithinDays is no later than so many days after a day, weekends included.
func (c *Calendar) WithinDays(from Date, days int) Deadline {
	on := from.AddDays(days)
	return c.back(on, fmt.Sprintf("within %s of %s, which is %s", count(days, "day", "days"), from.Long(), on.Long()))
}

// WithinMonths is no later than so many calendar months after a day; a month without that day has its last instead (31 August to 28 February).
func (c *Calendar) WithinMonths(from Date, months int) Deadline {
	on := from.AddMonths(months)
	return c.back(on, fmt.Sprintf("within %s of %s, which is %s%s", count(months, "month", "months"), from.Long(), on.Long(), clamped(from, on)))
}

func clamped(from, on Date) string {
	if from.Day == on.Day {
		return ""
	}
	return fmt.Sprintf(" (that month ends before the %s)", map[int]string{29: "29th", 30: "30th", 31: "31st"}[from.Day])
}

// WorkingDaysBetween is how many working days lie after one day up to and including another: 0 on the same day.
func (c *Calendar) WorkingDaysBetween(from, to Date) int {
	n := 0
	for d := from.AddDays(1); !to.Before(d); d = d.AddDays(1) {
		if c.WorkingDay(d) {
			n++
		}
	}
	return n
}

package caseforms

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Date is a day without a time, as the rules count it.
type Date struct {
	Year, Month, Day int
}

// london is read once: a page tells many times.
var london = sync.OnceValue(func() *time.Location {
	if loc, err := time.LoadLocation("Europe/London"); err == nil {
		return loc
	}
	return time.UTC
})

// London is a time as the clocks of the people show it.
func London(t time.Time) time.Time { return t.In(london()) }

// DateOf is the day t falls on in its own time zone.
func DateOf(t time.Time) Date {
	y, m, d := t.Date()
	return Date{y, int(m), d}
}

// IsZero tells whether there is no date.
func (d Date) IsZero() bool { return d == Date{} }

// Before tells whether d is an earlier day than e.
func (d Date) Before(e Date) bool { return d.days() < e.days() }

// AddDays is the day n days later.
func (d Date) AddDays(n int) Date {
	return DateOf(time.Date(d.Year, time.Month(d.Month), d.Day+n, 0, 0, 0, 0, time.UTC))
}

// AddMonths is the same day n months later, or the last day of that month when it has no such day.
func (d Date) AddMonths(n int) Date {
	first := time.Date(d.Year, time.Month(d.Month+n), 1, 0, 0, 0, 0, time.UTC)
	last := first.AddDate(0, 1, -1).Day()
	return Date{first.Year(), int(first.Month()), min(d.Day, last)}
}

func (d Date) days() int { return d.Year*10000 + d.Month*100 + d.Day }

// Age is the age on a day in completed years and, of the running year, completed months.
func (d Date) Age(on Date) (years, months int) {
	m := (on.Year-d.Year)*12 + on.Month - d.Month
	if on.Day < d.Day {
		m--
	}
	return m / 12, m % 12
}

func (d Date) String() string {
	if d.Year < 0 || d.Year > 9999 || d.Month < 0 || d.Month > 99 || d.Day < 0 || d.Day > 99 {
		return fmt.Sprintf("%04d-%02d-%02d", d.Year, d.Month, d.Day)
	}
	digit := func(n int) byte { return byte('0' + n%10) }
	return string([]byte{digit(d.Year / 1000), digit(d.Year / 100), digit(d.Year / 10), digit(d.Year), '-', digit(d.Month / 10), digit(d.Month), '-', digit(d.Day / 10), digit(d.Day)})
}

var errDate = errors.New("is not a date: write year-month-day, such as 2014-05-03")

func (d *Date) parse(s string) (string, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return "", errDate
	}
	*d = DateOf(t)
	return "", nil
}

// PartialDate is a date of which only a part may be known: a day, a month, a year, or an age. What cannot be read is kept as typed.
type PartialDate struct {
	Typed            string
	Year, Month, Day int // 0 where not known
	AgeYears         int // -1 unless an age was given
	AgeMonths        int
}

// Date is the whole date, when it is known.
func (p PartialDate) Date() (Date, bool) {
	return Date{p.Year, p.Month, p.Day}, p.Day > 0
}

// Age is the age on a day, when it can be told for certain.
func (p PartialDate) Age(on Date) (years, months int, ok bool) {
	if d, whole := p.Date(); whole {
		if on.Before(d) {
			return 0, 0, false
		}
		years, months = d.Age(on)
		return years, months, true
	}
	if p.AgeYears >= 0 {
		return p.AgeYears, p.AgeMonths, true
	}
	return 0, 0, false
}

// MinAge is the lowest age the person can have on a day, for rules that must not miss a small child.
func (p PartialDate) MinAge(on Date) (years int, ok bool) {
	if y, _, ok := p.Age(on); ok {
		return y, true
	}
	if p.Year == 0 {
		return 0, false
	}
	latest := Date{p.Year, 12, 31}
	if p.Month > 0 {
		latest = DateOf(time.Date(p.Year, time.Month(p.Month)+1, 0, 0, 0, 0, 0, time.UTC))
	}
	if on.Before(latest) {
		return 0, true
	}
	years, _ = latest.Age(on)
	return years, true
}

var (
	isoMonth  = regexp.MustCompile(`^(\d{4})-(\d{2})$`)
	isoYear   = regexp.MustCompile(`^\d{4}$`)
	monthYear = regexp.MustCompile(`^(\p{L}+) (\d{4})$`)
	ageYears  = regexp.MustCompile(`(?i)^(?:age|aged)? ?(\d{1,3})(?: ?(?:years?|yrs?|y))?(?: old)?$`)
	ageMonths = regexp.MustCompile(`(?i)^(?:age|aged)? ?(\d{1,2}) ?(?:months?|mths?|m)(?: old)?$`)
)

func (p *PartialDate) parse(s string) (string, error) {
	*p = PartialDate{Typed: s, AgeYears: -1}
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		d := DateOf(t)
		p.Year, p.Month, p.Day = d.Year, d.Month, d.Day
		return "", nil
	}
	if isoYear.MatchString(s) {
		p.Year, _ = strconv.Atoi(s)
		return "", nil
	}
	if m := isoMonth.FindStringSubmatch(s); m != nil {
		y, _ := strconv.Atoi(m[1])
		if mo, _ := strconv.Atoi(m[2]); mo >= 1 && mo <= 12 {
			p.Year, p.Month = y, mo
			return "", nil
		}
	}
	if m := monthYear.FindStringSubmatch(s); m != nil {
		for i := time.January; i <= time.December; i++ {
			if strings.EqualFold(i.String(), m[1]) || strings.EqualFold(i.String()[:3], m[1]) {
				p.Year, _ = strconv.Atoi(m[2])
				p.Month = int(i)
				return "", nil
			}
		}
	}
	if m := ageMonths.FindStringSubmatch(s); m != nil {
		n, _ := strconv.Atoi(m[1])
		p.AgeYears, p.AgeMonths = n/12, n%12
		return "", nil
	}
	if m := ageYears.FindStringSubmatch(s); m != nil {
		p.AgeYears, _ = strconv.Atoi(m[1])
		return "", nil
	}
	return `this is not a date or an age; it is printed as typed. Write 2014-05-03, "May 2014", "2014" or "age 4"`, nil
}

// String is the date as far as it is known (2014-05-03, 2014-05, 2014), else as typed.
func (p *PartialDate) String() string {
	switch {
	case p.Day > 0:
		return Date{p.Year, p.Month, p.Day}.String()
	case p.Month > 0:
		return fmt.Sprintf("%04d-%02d", p.Year, p.Month)
	case p.Year > 0:
		return fmt.Sprintf("%04d", p.Year)
	}
	return p.Typed
}

// TimeOfDay is a time on the 24-hour clock, Europe/London.
type TimeOfDay struct{ Hour, Minute int }

func (t *TimeOfDay) parse(s string) (string, error) {
	v, err := time.Parse("15:04", s)
	if err != nil {
		return "", errors.New("is not a time: write hours and minutes on the 24-hour clock, such as 14:30")
	}
	t.Hour, t.Minute = v.Hour(), v.Minute()
	return "", nil
}

func (t *TimeOfDay) String() string { return fmt.Sprintf("%02d:%02d", t.Hour, t.Minute) }

// Moment is a day with or without a time, Europe/London.
type Moment struct {
	Date    Date
	Time    TimeOfDay
	HasTime bool
}

func (m *Moment) parse(s string) (string, error) {
	*m = Moment{}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		// A machine wrote it with an offset; people read London's clock.
		loc, err := time.LoadLocation("Europe/London")
		if err != nil {
			return "", fmt.Errorf("cannot be read: %w", err)
		}
		t = t.In(loc)
		m.Date, m.Time, m.HasTime = DateOf(t), TimeOfDay{t.Hour(), t.Minute()}, true
		return "", nil
	}
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02 15:04", time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			m.Date, m.Time, m.HasTime = DateOf(t), TimeOfDay{t.Hour(), t.Minute()}, layout != time.DateOnly
			return "", nil
		}
	}
	return "", errors.New("is not a date and time: write 2026-11-20 14:30, or the date alone")
}

func (m *Moment) String() string {
	if !m.HasTime {
		return m.Date.String()
	}
	return m.Date.String() + " " + m.Time.String()
}

package caseforms_test

import (
	"strings"
	"testing"
	"time"

	. "caseforms"
	"caseforms/templates"
)

func calendar(t testing.TB, further ...Holiday) *Calendar {
	t.Helper()
	hs, err := templates.Holidays()
	if err != nil {
		t.Fatal(err)
	}
	return NewCalendar(hs, further)
}

func day(t testing.TB, s string) Date {
	t.Helper()
	d, err := time.Parse(time.DateOnly, s)
	if err != nil {
		t.Fatal(err)
	}
	return DateOf(d)
}

// The published days are those of the rule but for what was proclaimed once (D.8).
func TestBankHolidaysFollowTheRule(t *testing.T) {
	t.Parallel()
	published, ruled := calendar(t), NewCalendar(nil, nil)
	once := map[string]bool{"2020-05-04": true, "2020-05-08": true, "2022-05-30": true, "2022-06-02": true, "2022-06-03": true, "2022-09-19": true, "2023-05-08": true}
	for d := (Date{Year: 2018, Month: 1, Day: 1}); d.Year < 2028; d = d.AddDays(1) {
		if published.WorkingDay(d) == ruled.WorkingDay(d) == once[d.String()] {
			t.Errorf("%s: published %v, by the rule %v", d, published.WorkingDay(d), ruled.WorkingDay(d))
		}
	}
	if published.Through() != 2027 {
		t.Errorf("published through %d", published.Through())
	}
}

func TestDeadlines(t *testing.T) {
	t.Parallel()
	c := calendar(t, Holiday{On: day(t, "2026-12-24"), Name: "Office shut"})
	plain := calendar(t)
	for _, x := range []struct {
		name string
		got  Deadline
		on   string
		how  string
	}{
		{"three working days over Easter", plain.Within(day(t, "2026-04-02"), 3), "2026-04-09", "within three working days of Thursday 2 April 2026; not counting Good Friday on 3 April and Easter Monday on 6 April"},
		{"over Christmas", plain.Within(day(t, "2026-12-23"), 3), "2026-12-30", "within three working days of Wednesday 23 December 2026; not counting Christmas Day on 25 December and Boxing Day on 28 December"},
		{"and with a day of the area's own", c.Within(day(t, "2026-12-23"), 3), "2026-12-31", "within three working days of Wednesday 23 December 2026; not counting Office shut on 24 December and Christmas Day on 25 December and Boxing Day on 28 December"},
		{"21 working days", plain.Within(day(t, "2026-04-01"), 21), "2026-05-05", ""},
		{"from a Saturday", plain.Within(day(t, "2026-11-28"), 1), "2026-11-30", "within one working day of Saturday 28 November 2026"},
		{"the same day", plain.Within(day(t, "2026-11-28"), 0), "2026-11-28", "the same day, Saturday 28 November 2026"},
		{"clock goes back", plain.Within(day(t, "2026-10-23"), 1), "2026-10-26", ""},
		{"clock goes forward", plain.Within(day(t, "2027-03-25"), 2), "2027-03-31", ""},
		{"leap day", plain.Within(day(t, "2024-02-28"), 1), "2024-02-29", ""},
		{"three before", plain.WorkingDaysBefore(day(t, "2026-04-08"), 3), "2026-04-01", "three working days before Wednesday 8 April 2026; not counting Good Friday on 3 April and Easter Monday on 6 April"},
		{"three before, without a holiday", plain.WorkingDaysBefore(day(t, "2026-12-08"), 3), "2026-12-03", "three working days before Tuesday 8 December 2026"},
		{"six weeks", plain.AtLeastDaysBefore(day(t, "2027-02-12"), 42), "2026-12-31", "at least six weeks before Friday 12 February 2027, which is Friday 1 January 2027; 1 January is New Year’s Day, so Thursday 31 December 2026"},
		{"six weeks, on a Sunday", plain.AtLeastDaysBefore(day(t, "2026-12-13"), 42), "2026-10-30", "at least six weeks before Sunday 13 December 2026, which is Sunday 1 November 2026; 1 November is a Sunday, so Friday 30 October 2026"},
		{"two weeks", plain.AtLeastDaysBefore(day(t, "2026-12-16"), 14), "2026-12-02", "at least two weeks before Wednesday 16 December 2026, which is Wednesday 2 December 2026"},
		{"seven days", plain.AtLeastDaysBefore(day(t, "2026-12-09"), 7), "2026-12-02", "at least seven days before Wednesday 9 December 2026, which is Wednesday 2 December 2026"},
		{"six months to a short month", plain.WithinMonths(day(t, "2026-08-31"), 6), "2027-02-26", "within six months of Monday 31 August 2026, which is Sunday 28 February 2027 (that month ends before the 31st); 28 February is a Sunday, so Friday 26 February 2027"},
		{"six months to a leap day", plain.WithinMonths(day(t, "2023-08-31"), 6), "2024-02-29", "within six months of Thursday 31 August 2023, which is Thursday 29 February 2024 (that month ends before the 31st)"},
		{"a year from a leap day", plain.WithinMonths(day(t, "2024-02-29"), 12), "2025-02-28", ""},
		{"six months before", plain.AtLeastMonthsBefore(day(t, "2027-08-31"), 6), "2027-02-26", ""},
		{"no later than a bank holiday", plain.NoLaterThan(day(t, "2026-12-25")), "2026-12-24", "no later than Friday 25 December 2026; 25 December is Christmas Day, so Thursday 24 December 2026"},
		{"no later than a working day", plain.NoLaterThan(day(t, "2026-11-25")), "2026-11-25", "no later than Wednesday 25 November 2026"},
		{"a week", plain.WithinDays(day(t, "2026-11-25"), 7), "2026-12-02", "within seven days of Wednesday 25 November 2026, which is Wednesday 2 December 2026"},
		{"beyond what is published", plain.Within(day(t, "2028-12-22"), 1), "2028-12-27", "within one working day of Friday 22 December 2028; not counting Christmas Day on 25 December and Boxing Day on 26 December; bank holidays after 2027 are not published yet, so look at it again"},
	} {
		if x.got.On.String() != x.on || x.how != "" && x.got.How != x.how {
			t.Errorf("%s: %s, %q; want %s, %q", x.name, x.got.On, x.got.How, x.on, x.how)
		}
		if x.got.Guess != strings.Contains(x.got.How, "not published") {
			t.Errorf("%s: a guess that does not say so", x.name)
		}
	}
	if n := plain.WorkingDaysBetween(day(t, "2026-12-23"), day(t, "2026-12-30")); n != 3 {
		t.Errorf("%d working days", n)
	}
	// Counting forth and back meet.
	for d := day(t, "2026-01-01"); d.Year < 2028; d = d.AddDays(1) {
		if on := plain.Within(d, 3).On; plain.WorkingDay(d) && plain.WorkingDaysBefore(on, 3).On != d {
			t.Errorf("three working days after %s are %s, and back %s", d, on, plain.WorkingDaysBefore(on, 3).On)
		}
	}
}

package caseforms

import "testing"

// The values are the published test values of the services whose rules these are (D.1 to D.6 of the field catalogue), and invented ones
// computed with the same rules.
func TestIdentifiers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind        Kind
		typed, want string
		doubted     bool
	}{
		{KindCRN, " x00 0001 ", "X000001", false},
		{KindCRN, "X00001", "X00001", true},
		{KindCRN, "12345678", "12345678", true},
		{KindPrisonNumber, "a1234bc", "A1234BC", false},
		{KindPrisonNumber, "A1234B", "A1234B", true},
		{KindPNC, "81/34U", "1981/0000034U", false},
		{KindPNC, "02/73319Z", "2002/0073319Z", false},
		{KindPNC, "2002/73319Z", "2002/0073319Z", false},
		{KindPNC, "00/223R", "2000/0000223R", false},
		{KindPNC, "033Y", "2003/0000003Y", false},
		{KindPNC, "67/9893091D", "1967/9893091D", false},
		{KindPNC, "20050000042W", "2005/0000042W", false},
		{KindPNC, "1999/1234567B", "1999/1234567B", false},
		{KindPNC, "2001/0171310S", "2001/0171310S", true},
		{KindPNC, "20030011985Z", "20030011985Z", true},
		{KindPNC, "20120052494O", "20120052494O", true},
		{KindPNC, "200/1W", "200/1W", true},
		{KindCRO, "65656/91H", "065656/91H", false},
		{KindCRO, "SF83/50058Z", "SF83/50058Z", false},
		{KindCRO, "sf05/482703j", "SF05/482703J", false},
		{KindCRO, "85227/65G", "85227/65G", true},
		{KindCRO, "nonsense", "nonsense", true},
		{KindNHSNumber, "9434765919", "943 476 5919", false},
		{KindNHSNumber, "943 476 5918", "943 476 5918", true},
		{KindNHSNumber, "12345", "12345", true},
		{KindPostcode, "sw1a1aa", "SW1A 1AA", false},
		{KindPostcode, " LE99  9ZZ ", "LE99 9ZZ", false},
		{KindPostcode, "NT1 2AB", "NT1 2AB", true},
		{KindPostcode, "LE99 9ZV", "LE99 9ZV", true},
		{KindPhone, "07700 900123", "07700 900123", false},
		{KindPhone, "+44 (0)1632 960101", "+44 (0)1632 960101", false},
		{KindPhone, "01632 960500 ext 12", "01632 960500 ext 12", false},
		{KindPhone, "999", "999", true},
		{KindPhone, "ring the desk", "ring the desk", true},
		{KindPhone, "0906 000 0000", "0906 000 0000", true},
		{KindEmail, "robin.o'brien@probation.example", "robin.o'brien@probation.example", false},
		{KindEmail, "robin@probation", "robin@probation", true},
		{KindEmail, "robin..sample@probation.example", "robin..sample@probation.example", true},
	} {
		l := newLeaf(c.kind)
		if err := l.put(c.typed); err != nil {
			t.Errorf("%s %q: refused: %v", c.kind, c.typed, err)
			continue
		}
		f := l.fact()
		if f.Value != c.want || (f.Doubt != "") != c.doubted {
			t.Errorf("%s %q = %q, doubt %q; want %q, doubted %v", c.kind, c.typed, f.Value, f.Doubt, c.want, c.doubted)
		}
	}
}

func TestPartialDates(t *testing.T) {
	t.Parallel()
	on := Date{2026, 11, 20}
	for _, c := range []struct {
		typed, want string
		age         int // the lowest it can be; -1 when it cannot be told
		doubted     bool
	}{
		{"2014-05-03", "2014-05-03", 12, false},
		{"2014-05", "2014-05", 12, false},
		{"May 2014", "2014-05", 12, false},
		{"dec 2025", "2025-12", 0, false},
		{"2014", "2014", 11, false},
		{"age 4", "age 4", 4, false},
		{"aged 4 years", "aged 4 years", 4, false},
		{"7 months", "7 months", 0, false},
		{"2014-13", "2014-13", -1, true},
		{"about five", "about five", -1, true},
	} {
		l := &Of[PartialDate]{}
		if err := l.put(c.typed); err != nil {
			t.Fatal(err)
		}
		age, ok := l.Value.MinAge(on)
		if !ok {
			age = -1
		}
		if f := l.fact(); f.Value != c.want || age != c.age || (f.Doubt != "") != c.doubted {
			t.Errorf("%q = %q, age %d, doubt %q; want %q, %d, doubted %v", c.typed, f.Value, age, f.Doubt, c.want, c.age, c.doubted)
		}
	}
}

func TestMomentIsLondonTime(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]string{
		"2026-07-01T09:30:00Z":      "2026-07-01 10:30", // British Summer Time
		"2026-12-01T09:30:00Z":      "2026-12-01 09:30",
		"2026-06-30T23:30:00Z":      "2026-07-01 00:30",
		"2026-07-01T09:30:00+01:00": "2026-07-01 09:30",
		"2026-07-01 09:30":          "2026-07-01 09:30",
		"2026-07-01":                "2026-07-01",
	} {
		l := &Of[Moment]{}
		if err := l.put(typed); err != nil || l.fact().Value != want {
			t.Errorf("%s = %s, %v; want %s", typed, l.fact().Value, err, want)
		}
	}
}

func TestAge(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		born, on      Date
		years, months int
	}{
		{Date{2026, 4, 2}, Date{2026, 11, 20}, 0, 7},
		{Date{2025, 11, 21}, Date{2026, 11, 20}, 0, 11},
		{Date{2025, 11, 20}, Date{2026, 11, 20}, 1, 0},
		{Date{2024, 2, 29}, Date{2025, 2, 28}, 0, 11}, // a leap-day child turns one on 1 March
		{Date{2024, 2, 29}, Date{2025, 3, 1}, 1, 0},
	} {
		if y, m := c.born.Age(c.on); y != c.years || m != c.months {
			t.Errorf("born %s, on %s: %d years %d months, want %d and %d", c.born, c.on, y, m, c.years, c.months)
		}
	}
}

// Every kind has a type of its own and every type knows its kind.
func TestKindsAndTypesAgree(t *testing.T) {
	t.Parallel()
	for _, k := range kinds {
		if got := kindOf(newLeaf(k.kind)); got != k.kind {
			t.Errorf("kind %s: its type is of kind %s", k.kind, got)
		}
	}
}

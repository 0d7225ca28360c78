package caseforms

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// DutyReference is a page in Markdown that lists every rule: what it asks, when, who, what ends it and where it comes from, or why no clock
// watches it; then what may be noted and answered.
func (d *Definitions) DutyReference() string {
	var b strings.Builder
	cell := func(s string) string { return strings.ReplaceAll(strings.ReplaceAll(s, "|", `\|`), "\n", " ") }
	row := func(cells ...string) {
		for _, c := range cells {
			b.WriteString("| " + cell(c) + " ")
		}
		b.WriteString("|\n")
	}
	of := func(state DutyState) (out []*Duty) {
		for _, r := range d.Duties.Rules {
			if r.State == state {
				out = append(out, r)
			}
		}
		return out
	}

	timed := of(DutyTimed)
	fmt.Fprintf(&b, "\n## Timed: a clock watches them (%d)\n\n“Ours” marks a time that the procedures do not give.\n\n", len(timed))
	b.WriteString("| rule | what it asks | starts | due | who | ends | source |\n|---|---|---|---|---|---|---|\n")
	for _, r := range timed {
		var starts, ends []string
		for _, s := range r.Starts {
			starts = append(starts, d.startInWords(s))
		}
		for _, e := range r.Ends {
			ends = append(ends, d.endingInWords(e))
		}
		due := r.Due.inWords()
		if r.Default {
			due += " (ours)"
		}
		if r.Chases {
			ends = append(ends, "until then the agency is chased")
		}
		row(r.Rule, d.say(r.Says), strings.Join(starts, "; or "), due, r.Who, strings.Join(ends, "; "), r.Source)
	}
	for _, s := range []struct {
		state DutyState
		title string
		why   string
	}{
		{DutyBlocking, "Blocking: a form is not issued, or warns", "where"},
		{DutyLogged, "Logged: what they ask for is entered in the log", "how"},
		{DutyNotImplemented, "Not implemented", "why not"},
	} {
		rules := of(s.state)
		fmt.Fprintf(&b, "\n## %s (%d)\n\n| rule | what it asks | %s | source |\n|---|---|---|---|\n", s.title, len(rules), s.why)
		for _, r := range rules {
			row(r.Rule, d.say(r.Says), d.say(r.Why), r.Source)
		}
	}

	b.WriteString("\n## The ladder while an agency does not answer\n\n| step | when | what is said |\n|---|---|---|\n")
	for _, s := range d.Duties.Chase {
		when := "as soon as it falls due"
		if s.After > 0 {
			when = count(s.After, "working day", "working days") + " after it fell due"
			if s.Round > 0 {
				when += fmt.Sprintf("; from round %d on as soon as it falls due", s.Round)
			}
		}
		row(s.Step, when, d.say(s.Says))
	}

	b.WriteString("\n## Notes\n\n| kind | what it says | entry in the case system |\n|---|---|---|\n")
	for _, n := range d.Duties.Notes {
		contact := d.Duties.Contacts[n.Contact]
		if n.Manager {
			contact += " (only a manager writes it)"
		}
		row(n.Kind, d.say(n.Label), contact)
	}
	b.WriteString("\n## Responses\n\n| form | kind | what it says | ends the follow-up |\n|---|---|---|---|\n")
	for _, f := range slices.Sorted(maps.Keys(d.Duties.Responses)) {
		for _, r := range d.Duties.Responses[f] {
			row(f, r.Kind, d.say(r.Label), map[bool]string{true: "yes", false: "no"}[r.Ends])
		}
	}
	b.WriteString("\n## Entries and registers of the case system\n\n| entry | in its words |\n|---|---|\n")
	for _, k := range slices.Sorted(maps.Keys(d.Duties.Contacts)) {
		row(k, d.Duties.Contacts[k])
	}
	fmt.Fprintf(&b, "\nRegisters: %s.\n", strings.Join(d.Duties.Registers, "; "))
	b.WriteString("\n## Conditions and dates that have a name\n\n| words | name | means |\n|---|---|---|\n")
	for _, name := range slices.Sorted(maps.Keys(conditions)) {
		row(named(name), "`"+name+"`", conditions[name].says)
	}
	for _, name := range slices.Sorted(maps.Keys(namedDates)) {
		var of []string
		for _, p := range namedDates[name].of {
			of = append(of, d.called(p))
		}
		row(namedDates[name].says, "`"+name+"`", namedDates[name].which+" "+strings.Join(of, ", "))
	}
	return b.String()
}

func (d *Definitions) startInWords(s *Start) string {
	var what string
	switch {
	case s.Handed != nil:
		what = strings.Join(s.Handed, " or ") + " is handed over"
	case s.Noted != nil:
		what = "note " + strings.Join(s.Noted, " or ")
	case s.Answered != nil:
		var said []string
		for _, a := range s.Answered {
			form, kind, _ := strings.Cut(a, ".")
			said = append(said, fmt.Sprintf("“%s” (%s)", d.say(d.Duties.Response(form, kind).Label), form))
		}
		what = "response " + strings.Join(said, " or ")
	case s.Date != "":
		what = d.called(s.Date)
	case s.Changed != nil:
		var facts []string
		for _, p := range s.Changed {
			facts = append(facts, d.called(p))
		}
		what = "change of " + strings.Join(facts, ", ")
	case s.Undelivered != "":
		what = map[string]string{UndeliveredUrgent: "a document that cannot wait", UndeliveredOrdinary: "another document"}[s.Undelivered] + " was to be sent by e-mail and is held, failed or uncertain"
	case s.Issued != "":
		what = map[string]string{UndeliveredUrgent: "a document that cannot wait", UndeliveredOrdinary: "another document"}[s.Issued] + " is issued in a copy that goes to somebody when nobody is named"
	default:
		what = "the case is recorded for the first time"
	}
	var ifs []string
	for _, name := range s.If {
		ifs = append(ifs, named(name))
	}
	for _, c := range s.When {
		ifs = append(ifs, d.condInWords(c))
	}
	if ifs != nil {
		what += ", if " + strings.Join(ifs, ", and ")
	}
	var unless []string
	for _, e := range s.Unless {
		unless = append(unless, d.endingInWords(e))
	}
	if unless != nil {
		what += ", unless before: " + strings.Join(unless, " or ")
	}
	return what
}

// named is how a condition with a name stands in a sentence; what it means is told once, at the end of the page.
func named(condition string) string { return "*" + strings.ReplaceAll(condition, "_", " ") + "*" }

// condInWords leaves out the states where "not answered" is among the values: they are meant along with it.
func (d *Definitions) condInWords(c *Cond) string {
	shape := d.shape.at(c.Field)
	var is []string
	for _, v := range c.Is {
		_, state := statedBy(v)
		switch {
		case v == "":
			is = append(is, "not answered")
		case state && slices.Contains(c.Is, ""):
		default:
			label := v
			for _, o := range shape.Options {
				if o.Value == v {
					label = "“" + d.say(o.Label) + "”"
				}
			}
			is = append(is, label)
		}
	}
	if is == nil {
		return d.called(c.Field) + " is answered"
	}
	return d.called(c.Field) + " is " + strings.Join(is, " or ")
}

func (d *Definitions) endingInWords(e string) string {
	kind, what, _ := strings.Cut(e, ":")
	switch kind {
	case "note":
		return "note " + what
	case "handed":
		if what == "" {
			what = "the document"
		}
		return what + " is handed over"
	case "answer":
		return "response “" + d.answerLabel(what) + "”"
	case "fact":
		return d.called(what) + " is answered"
	}
	return "a response that ends it"
}

// called is what a fact, or a date with a name, is called in words.
func (d *Definitions) called(path string) string {
	if n, ok := namedDates[path]; ok {
		return n.says
	}
	label := ""
	if s := d.shape.at(path); s != nil {
		label = strings.Trim(d.say(s.Label), " :")
	}
	if label == "" {
		return "`" + path + "`"
	}
	return label + " (`" + path + "`)"
}

func (u *Due) inWords() string {
	var s string
	switch {
	case u.SameDay:
		s = "the same day"
	case u.WorkingDays > 0:
		s = "within " + count(u.WorkingDays, "working day", "working days")
	case u.WorkingDaysBefore > 0:
		s = "at least " + count(u.WorkingDaysBefore, "working day", "working days") + " before"
	case u.Days > 0:
		s = "within " + count(u.Days, "day", "days")
	case u.DaysBefore > 0:
		s = "at least " + count(u.DaysBefore, "day", "days") + " before"
	case u.Months > 0:
		s = "within " + count(u.Months, "month", "months")
	case u.MonthsBefore > 0:
		s = "at least " + count(u.MonthsBefore, "month", "months") + " before"
	default:
		s = "on the day, or the last working day before it"
	}
	if u.Again > 0 {
		s += "; after a chase or reminder again within " + count(u.Again, "working day", "working days")
	}
	return s
}
